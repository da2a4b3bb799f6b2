"""One page for one person at this machine: served on the loopback address, behind a random path.

The pictures are of people, so nothing may leave: no other origin is allowed by the content-security
policy, nothing is cached on disk, a request must name this host and, to change anything, come from
this page.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from zones.errors import LazarettoError

HOST = "127.0.0.1"
MOST_BYTES = 10_000
"""Of a request's body; ours are under a hundred."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class Answer:
    """What a request gets: a body with its media type."""

    body: bytes
    kind: str

    @classmethod
    def of(cls, value: Any) -> Answer:
        """An answer in JSON."""
        return cls(json.dumps(value, ensure_ascii=False).encode(), "application/json")


def static(name: str) -> Answer:
    """A file of the package's folder `static`."""
    kind = KINDS[name.rpartition(".")[2]]
    return Answer(resources.files("review").joinpath("static", name).read_bytes(), f"{kind}; charset=utf-8")


class LocalPage:
    """A server for one page. Requests are answered one after the other."""

    def __init__(
        self,
        get: Mapping[str, Callable[[str], Answer]],
        post: Mapping[str, Callable[[Any], Answer]],
        port: int = 0,
    ) -> None:
        """Take a port, any free one by default.

        Args:
            get: answers by the first part of a path; each is given the rest of it, and raises KeyError or
                ValueError where there is nothing of that name.
            post: answers by path; each is given the body, read as JSON.
            port: TCP port.

        Raises:
            LazarettoError: the port is taken.
        """
        self.token = secrets.token_urlsafe(24)
        self.get, self.post = get, post
        self.lock = threading.Lock()
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise LazarettoError(f"expected a free port, got {port}: {error.strerror or error}") from error
        self._server.page = self

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{HOST}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The address of the page, with the random part that only its user knows."""
        return f"{self.origin}/{self.token}/"

    def run(self) -> None:
        """Answer requests until `stop`, or until interrupted."""
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            self._server.server_close()

    def stop(self) -> None:
        """Let `run` return, once the request at hand is answered."""
        threading.Thread(target=self._server.shutdown, daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    page: LocalPage

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away before its answer comes is no fault; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Answer with a part of the page."""
        path = self._path()
        if path is None:
            return
        first, _, rest = path.partition("/")
        answer = self.server.page.get.get(first)
        if answer is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            with self.server.page.lock:
                found = answer(rest)
        except (KeyError, ValueError, IndexError):
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self._send(HTTPStatus.OK, found)

    def do_POST(self) -> None:
        """Do what the page asks for; what cannot be done is one sentence in `error`."""
        path = self._path()
        if path is None:
            return
        page = self.server.page
        length = self.headers.get("Content-Length", "")
        json_sent = self.headers.get("Content-Type", "").partition(";")[0] == "application/json"
        if self.headers.get("Origin") != page.origin or not json_sent:
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        answer = page.post.get(path)
        if answer is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            content = json.loads(self.rfile.read(int(length)) or b"null")
            with page.lock:
                self._send(HTTPStatus.OK, answer(content))
        except LazarettoError as error:
            self._send(HTTPStatus.BAD_REQUEST, Answer.of({"error": str(error)}))
        except (ValueError, KeyError, TypeError):
            self._send(HTTPStatus.BAD_REQUEST, Answer.of({"error": "expected a request of this page"}))

    def _path(self) -> str | None:
        """The path behind the random part; None once the request is refused."""
        page = self.server.page
        path = self.path.partition("?")[0]
        token, _, rest = path.removeprefix("/").partition("/")
        # The host is checked so that a name that someone points at this address gets nothing.
        host = f"{HOST}:{self.server.server_port}"
        same = secrets.compare_digest(token.encode(), page.token.encode())
        if not same or self.headers.get("Host") != host:
            self._refuse(HTTPStatus.NOT_FOUND)
            return None
        return rest

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # a body that was not read must not be taken for the next request
        self._send(status, Answer(f"{status.phrase}\n".encode(), "text/plain"))

    def _send(self, status: HTTPStatus, answer: Answer) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the address holds the key to the page."""
