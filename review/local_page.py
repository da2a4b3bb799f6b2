"""A page for one user on this machine, served on the loopback address under a random path.

The page shows images of people, so no data may leave the machine. The content-security policy allows no
other origin, and the browser caches nothing. A request must name this host; a request that changes something
must also come from this page.
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
MAX_BODY_BYTES = 10_000
"""Maximum size of a request's body; the page sends less than 100 bytes."""
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
MEDIA_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class Response:
    """The response to a request: a body and its media type."""

    body: bytes
    media_type: str

    @classmethod
    def json(cls, value: object) -> Response:
        """A response in JSON."""
        return cls(json.dumps(value, ensure_ascii=False).encode(), "application/json")


def static_file(name: str) -> Response:
    """A response with a file of the folder `static` of this package."""
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    return Response(
        resources.files("review").joinpath("static", name).read_bytes(), f"{media_type}; charset=utf-8"
    )


class LocalPage:
    """A server for one page; it handles one request at a time."""

    def __init__(
        self,
        get: Mapping[str, Callable[[str], Response]],
        post: Mapping[str, Callable[[Any], Response]],
        port: int = 0,
    ) -> None:
        """Bind the port.

        Args:
            get: handlers of GET requests by the first part of the path. A handler gets the rest of the path,
                and raises KeyError, ValueError or IndexError if there is nothing at it.
            post: handlers of POST requests by path. A handler gets the body, parsed as JSON.
            port: TCP port; 0 = any free port.

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
        """Scheme, host and port of the page."""
        return f"http://{HOST}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Address of the page, with the random part that only its user knows."""
        return f"{self.origin}/{self.token}/"

    def run(self) -> None:
        """Handle requests until `stop` or an interrupt."""
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            self._server.server_close()

    def stop(self) -> None:
        """Let `run` return after the current request."""
        threading.Thread(target=self._server.shutdown, daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    page: LocalPage

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore browsers that close the connection early; report all other errors."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Handle a GET request: send a part of the page."""
        path = self._path()
        if path is None:
            return
        first, _, rest = path.partition("/")
        handler = self.server.page.get.get(first)
        if handler is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            with self.server.page.lock:
                response = handler(rest)
        except (KeyError, ValueError, IndexError):
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self._send(HTTPStatus.OK, response)

    def do_POST(self) -> None:
        """Handle a POST request: take a step; `error` in the response says why a step is impossible."""
        path = self._path()
        if path is None:
            return
        page = self.server.page
        length = self.headers.get("Content-Length", "")
        json_sent = self.headers.get("Content-Type", "").partition(";")[0] == "application/json"
        if self.headers.get("Origin") != page.origin or not json_sent:
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        handler = page.post.get(path)
        if handler is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            content = json.loads(self.rfile.read(int(length)) or b"null")
            with page.lock:
                self._send(HTTPStatus.OK, handler(content))
        except LazarettoError as error:
            self._send(HTTPStatus.BAD_REQUEST, Response.json({"error": str(error)}))
        except (ValueError, KeyError, TypeError):
            self._send(
                HTTPStatus.BAD_REQUEST,
                Response.json({"error": "expected a request of this page, got another"}),
            )

    def _path(self) -> str | None:
        """The path after the random part; None if the request was refused."""
        page = self.server.page
        path = self.path.partition("?")[0]
        token, _, rest = path.removeprefix("/").partition("/")
        # The host is checked against DNS rebinding: another name that resolves to this address gets nothing.
        host = f"{HOST}:{self.server.server_port}"
        token_matches = secrets.compare_digest(token.encode(), page.token.encode())
        if not token_matches or self.headers.get("Host") != host:
            self._refuse(HTTPStatus.NOT_FOUND)
            return None
        return rest

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # an unread body must not be parsed as the next request
        self._send(status, Response(f"{status.phrase}\n".encode(), "text/plain"))

    def _send(self, status: HTTPStatus, response: Response) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", response.media_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because the path contains the secret part of the address."""
