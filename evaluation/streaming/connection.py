"""One RTSP connection of a client."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Mapping

from evaluation.streaming.messages import Request, description, parse_request, response
from evaluation.streaming.mount import Mount
from evaluation.streaming.transports import Carrier, Datagrams, Interleaved, Sender

_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_FREE = ("OPTIONS",)
"""Methods that need no login."""


class Connection:
    """Answers requests until the client goes, its session times out, or a fault ends it."""

    def __init__(
        self, mounts: Mapping[str, Mount], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve `mounts` to the client at the other end."""
        self._mounts, self._reader, self._writer = mounts, reader, writer
        self._mount: Mount | None = None
        self._session = ""
        self._sender: Sender | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._heard_at = time.monotonic()

    @property
    def dropped(self) -> int:
        """Pictures that were left out because the client did not read."""
        return self._sender.dropped if self._sender else 0

    def close(self) -> None:
        """End it at once, without a word."""
        self._writer.transport.abort()

    async def serve(self) -> None:
        """Answer requests until the connection ends."""
        watching = asyncio.get_running_loop().create_task(self._watch())
        try:
            while await self._next():
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass  # the client went, or speaks another language: its connection ends here
        finally:
            watching.cancel()
            self._end_session(lingers=True)
            self._writer.close()

    async def _watch(self) -> None:
        """End the session of a client that is not heard of any more."""
        while True:
            await asyncio.sleep(0.5)
            mount = self._mount
            if mount is None or not self._session:
                continue
            if time.monotonic() - self._heard_at > mount.options.session_timeout_s:
                self._end_session()
                self.close()

    def _heard(self) -> None:
        self._heard_at = time.monotonic()

    async def _next(self) -> bool:
        """Take one message; returns whether the connection goes on."""
        first = await self._reader.readexactly(1)
        self._heard()
        if first == b"$":
            _, *size = await self._reader.readexactly(3)
            await self._reader.readexactly(size[0] << 8 | size[1])
            return True
        if first in b"\r\n":
            return True
        request = parse_request(first + await self._reader.readuntil(b"\r\n\r\n"))
        await self._reader.readexactly(int(request.headers.get("content-length", "0")))
        return await self._answer(request)

    async def _answer(self, request: Request) -> bool:
        mount = self._find(request)
        if mount is None:
            asks_server = request.url == "*" and request.method == "OPTIONS"
            status, headers = (200, {"Public": _METHODS}) if asks_server else (404, {})
            self._writer.write(response(status, request, headers))
            return True
        faults = mount.faults
        if faults.close_at_once or faults.silent:
            mount.note(request.method, None)
            if faults.close_at_once:
                self.close()
            return not faults.close_at_once
        status, headers, body = self._handle(request, mount)
        mount.note(request.method, status)
        self._writer.write(response(status, request, headers, body))
        await self._writer.drain()
        if status == 200 and request.method == "PLAY":
            self._play(mount)
        return request.method != "TEARDOWN"

    def _find(self, request: Request) -> Mount | None:
        if request.url == "*":
            return self._mount
        # The URL of a track is that of the mount and a further part.
        path = re.sub(r"/trackID=\d+$", "", request.path)
        return self._mounts.get(path)

    def _handle(self, request: Request, mount: Mount) -> tuple[int, dict[str, str], str]:
        method, login = request.method, mount.options.login
        if method not in _METHODS.split(", "):
            return 405, {"Allow": _METHODS}, ""
        if method not in _FREE and self._refuses_login(request, mount):
            challenge = login.challenge() if login else 'Basic realm="Lazaretto test camera"'
            return 401, {"WWW-Authenticate": challenge}, ""
        if method == "OPTIONS":
            return 200, {"Public": _METHODS}, ""
        if method == "DESCRIBE":
            headers = {"Content-Type": "application/sdp", "Content-Base": request.url.rstrip("/") + "/"}
            return 200, headers, description(mount.media[0], mount.options.sets_in_sdp)
        if method == "SETUP":
            return self._set_up(request, mount)
        if not self._session or request.headers.get("session", "").partition(";")[0] != self._session:
            # A client without a session may ask for a parameter to learn whether the server is there.
            return (200 if method == "GET_PARAMETER" and not self._session else 454), {}, ""
        headers = {"Session": self._session}
        if method == "PLAY":
            if self._sender is None:
                return 455, headers, ""
            headers["Range"] = "npt=0.000-"
            headers["RTP-Info"] = self._rtp_info(request, mount)
        elif method == "PAUSE":
            self._pause()
        elif method == "TEARDOWN":
            self._end_session()
        return 200, headers, ""

    def _refuses_login(self, request: Request, mount: Mount) -> bool:
        if mount.faults.refuse_login:
            return True
        if request.method == "DESCRIBE" and self._full_status(mount) == 401:
            return True
        login = mount.options.login
        return login is not None and not login.accepts(
            request.headers.get("authorization", ""), request.method
        )

    def _full_status(self, mount: Mount) -> int | None:
        """How a further session is refused; None where there is room."""
        if mount.faults.sessions_full is not None:
            return mount.faults.sessions_full
        return mount.options.full if len(mount.clients) >= mount.options.sessions else None

    def _set_up(self, request: Request, mount: Mount) -> tuple[int, dict[str, str], str]:
        if not self._session:
            if (status := self._full_status(mount)) is not None:
                return status, {}, ""
        elif self._mount is not mount or self._sender is not None:
            return 455, {}, ""
        made = self._carrier(request.headers.get("transport", ""))
        if made is None:
            return 461, {}, ""
        carrier, transport = made
        options = mount.options
        self._sender = Sender(carrier, mount.faults, mount.clock, options.reports_s, options.first_report_s)
        self._mount, self._session = mount, secrets.token_hex(8)
        mount.clients.append(self)
        timeout = max(1, round(options.session_timeout_s))
        return 200, {"Transport": transport, "Session": f"{self._session};timeout={timeout}"}, ""

    def _carrier(self, offered: str) -> tuple[Carrier, str] | None:
        """What carries packets, and how the answer names it, by the first transport offered that we know."""
        for transport in offered.split(","):
            if "multicast" in transport:
                continue
            if "RTP/AVP/TCP" in transport:
                found = re.search(r"interleaved=(\d+)-(\d+)", transport)
                rtp, rtcp = (int(found[1]), int(found[2])) if found else (0, 1)
                if max(rtp, rtcp) < 256:
                    named = f"RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"
                    return Interleaved(self._writer, (rtp, rtcp)), named
            elif found := re.search(r"client_port=(\d+)(?:-(\d+))?", transport):
                ports = int(found[1]), int(found[2] or int(found[1]) + 1)
                host, peer = (
                    self._writer.get_extra_info("sockname")[0],
                    self._writer.get_extra_info("peername")[0],
                )
                datagrams = Datagrams(host, peer, ports, self._heard)
                named = (
                    f"RTP/AVP;unicast;client_port={ports[0]}-{ports[1]};"
                    f"server_port={datagrams.ports[0]}-{datagrams.ports[1]}"
                )
                return datagrams, named
        return None

    def _rtp_info(self, request: Request, mount: Mount) -> str:
        assert self._sender is not None
        url = request.url.rstrip("/")
        return f"url={url}/trackID=0;seq={self._sender.sequence};rtptime={mount.stamp}"

    def _play(self, mount: Mount) -> None:
        assert self._sender is not None
        self._pause()
        self._feeding = mount.play(self._sender)

    def _pause(self) -> None:
        if self._mount is not None and self._sender is not None:
            self._mount.leave(self._sender)
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None

    def _end_session(self, lingers: bool = False) -> None:
        mount = self._mount
        if mount is None or not self._session:
            return
        self._pause()
        if lingers and mount.options.linger_s > 0:
            asyncio.get_running_loop().call_later(mount.options.linger_s, mount.clients.remove, self)
        else:
            mount.clients.remove(self)
        self._session = ""
        if self._sender is not None:
            self._sender.carrier.close()
            self._sender = None
