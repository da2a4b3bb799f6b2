"""Where the messages of a rehearsal arrive: a webhook and a mail server on this computer."""

from __future__ import annotations

import json
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class Inbox:
    """A webhook and a mailbox; use it as a context manager.

    Attributes:
        posts, mails: the texts that came.
    """

    def __init__(self) -> None:
        """Listen at any free port."""
        self.posts: list[str] = []
        self.mails: list[str] = []
        posts, mails = self.posts, self.mails

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Take a message."""
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                posts.append(str(json.loads(body).get("message", "")))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Messages are counted, not logged."""

        class Mailbox:
            async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
                mail = message_from_bytes(envelope.content, policy=policy.default)
                assert isinstance(mail, EmailMessage)
                body = mail.get_body(("plain", "html"))
                mails.append("" if body is None else str(body.get_content()))
                return "250 OK"

        self._web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._mailbox = Mailbox()
        self._smtp: Controller | None = None

    def __enter__(self) -> Inbox:
        """Begin to take messages."""
        threading.Thread(target=self._web.serve_forever, daemon=True).start()
        with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as probe:
            port = int(probe.server_address[1])
        self._smtp = Controller(self._mailbox, hostname="127.0.0.1", port=port)
        self._smtp.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take no more."""
        self._web.shutdown()
        if self._smtp is not None:
            self._smtp.stop()

    @property
    def configuration(self) -> str:
        """`notifications.yaml`: the webhook is told of everything, the mailbox of cameras."""
        assert self._smtp is not None, "enter it first"
        targets = {
            "web": f"json://127.0.0.1:{self._web.server_address[1]}/",
            "mail": f"mailto://127.0.0.1:{self._smtp.port}?from=box@example.vn&to=duty@example.vn&mode=insecure",
        }
        kinds = {"web": "", "mail": ", kinds: [camera_health]"}
        lines = [
            f"  {name}: {{kind: apprise, url: '{url}', events: [opened], most_per_hour: 3600{kinds[name]}}}\n"
            for name, url in targets.items()
        ]
        return "lang: en\ntargets:\n" + "".join(lines)
