"""A network that fails: a proxy between a client and a server."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from types import TracebackType
from urllib.parse import urlsplit

from evaluation.streaming.framing import Framing
from evaluation.streaming.loop_thread import LoopThread
from evaluation.streaming.udp_relay import UdpRelay
from zones.errors import LazarettoError

_LOOK_S = 0.02
"""Seconds between two looks at a switch."""
_CHUNK = 65_536


class FaultProxy:
    """Passes TCP connections on, and RTP by UDP where RTSP agrees on it, as well as its faults let it.

    The attributes are switches that any thread may turn at any time.

    Attributes:
        port: where it listens.
        frozen: connections are accepted and stand, and nothing passes, as if a cable were pulled.
        delay_s: what each byte waits, in seconds.
        bytes_per_s: what passes to clients at most, by TCP; None = as fast as it comes.
        no_packets: messages of RTSP pass, packets of RTP and RTCP do not.
        loss: share of RTP packets to clients that are lost, 0 to 1.
        cut_after: bytes to the client after which a connection is cut; None = never.
        accepted: connections so far.
    """

    def __init__(
        self, target: str | tuple[str, int], *, host: str = "127.0.0.1", rtsp: bool = True, seed: int = 0
    ):
        """Prepare a proxy.

        Args:
            target: a URL that names host and port, or both.
            host: address to listen at.
            rtsp: whether the connection is RTSP; else its bytes pass unread, without faults of packets.
            seed: decides which packets are lost.
        """
        if isinstance(target, str):
            parts = urlsplit(target)
            target = (parts.hostname or "", parts.port or 554)
        self.target, self.host, self.port = target, host, 0
        self._rtsp, self.chance = rtsp, random.Random(seed)
        self.accepted = 0
        self.clear()
        self._thread: LoopThread | None = None
        self._listening: asyncio.Server | None = None
        self._links: set[_Link] = set()

    def clear(self) -> None:
        """Turn all faults off. A port that was closed stays closed."""
        self.frozen = self.no_packets = False
        self.delay_s = self.loss = 0.0
        self.bytes_per_s: float | None = None
        self.cut_after: int | None = None

    def url(self, url: str) -> str:
        """The same URL through this proxy."""
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{user}{'@' if user else ''}{self.host}:{self.port}").geturl()

    def start(self) -> FaultProxy:
        """Listen.

        Raises:
            LazarettoError: there is no free port.
        """
        self._thread = LoopThread("fault-proxy")
        try:
            self.open()
        except LazarettoError:
            self.stop()
            raise
        return self

    def open(self) -> None:
        """Listen at the same port as before.

        Raises:
            LazarettoError: the port cannot be had.
        """
        assert self._thread is not None, "start the proxy first"
        try:
            self._thread.call(self._open())
        except OSError as error:
            raise LazarettoError(
                f"{self.host}:{self.port}: expected a port to listen at, got: {error}"
            ) from error

    async def _open(self) -> None:
        if self._listening is None:
            self._listening = await asyncio.start_server(self._serve, self.host, self.port)
            self.port = self._listening.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Close the port: further connections are refused at once, until `open`; those that stand remain."""
        assert self._thread is not None, "start the proxy first"
        self._thread.call(self._refuse())

    async def _refuse(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def drop(self, *, reset: bool = True) -> None:
        """Cut all connections: by RST, as a device that restarts, or by FIN."""
        assert self._thread is not None, "start the proxy first"
        self._thread.call(self._drop(reset))

    async def _drop(self, reset: bool) -> None:
        for link in tuple(self._links):
            link.cut(reset)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(self, reader, writer, self._rtsp)
        self._links.add(link)
        try:
            await link.run()
        except asyncio.CancelledError:
            pass  # the proxy stops
        finally:
            link.cut(False)
            self._links.discard(link)

    def stop(self) -> None:
        """Cut all connections and end the thread; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.call(self._refuse())
            thread.end()

    def __enter__(self) -> FaultProxy:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


class _Link:
    """One client, and the connection to the server that was opened for it."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rtsp: bool
    ) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._rtsp = rtsp
        self._server: asyncio.StreamWriter | None = None
        self._relays: list[UdpRelay] = []
        self._given = 0

    async def run(self) -> None:
        await self._thawed()
        try:
            reader, self._server = await asyncio.open_connection(*self._proxy.target)
        except OSError:
            return  # the server refuses, and so the client is refused
        ways = [
            asyncio.create_task(self._pass(self._reader, self._server, to_client=False)),
            asyncio.create_task(self._pass(reader, self._writer, to_client=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    def cut(self, reset: bool) -> None:
        for writer in (self._writer, self._server):
            if writer is None or writer.is_closing():
                continue
            if reset:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()
        for relay in self._relays:
            relay.close()
        self._relays.clear()

    async def _thawed(self) -> None:
        while self._proxy.frozen:
            await asyncio.sleep(_LOOK_S)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_client: bool
    ) -> None:
        """Pass bytes one way until the connection ends."""
        waiting: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(256)
        writing = asyncio.create_task(self._write(waiting, writer, to_client))
        framing = Framing()
        loop = asyncio.get_running_loop()
        try:
            # A reset by either side ends the connection as its end does.
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(_CHUNK):
                    if self._rtsp:
                        data = b"".join([self._unit(unit, to_client) for unit in framing.units(data)])
                    await self._thawed()
                    await waiting.put((loop.time() + self._proxy.delay_s, data))
            await waiting.put((loop.time() + self._proxy.delay_s, None))
            await writing
            await self._thawed()
        finally:
            writing.cancel()

    async def _write(
        self,
        waiting: asyncio.Queue[tuple[float, bytes | None]],
        writer: asyncio.StreamWriter,
        to_client: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(due - loop.time())
            await self._thawed()
            if data is None:
                return
            while data:
                rate = self._proxy.bytes_per_s if to_client else None
                piece = data if rate is None else data[: max(1, int(rate * _LOOK_S))]
                data = data[len(piece) :]
                limit = self._proxy.cut_after if to_client else None
                if limit is not None and self._given + len(piece) >= limit:
                    writer.write(piece[: max(0, limit - self._given)])
                    self.cut(False)
                    return
                self._given += len(piece) if to_client else 0
                writer.write(piece)
                await writer.drain()
                if rate is not None:
                    await asyncio.sleep(len(piece) / rate)
                await self._thawed()

    def _unit(self, unit: bytes, to_client: bool) -> bytes:
        """What passes of a packet or message."""
        if unit[:1] == b"$":
            return b"" if to_client and self._loses(rtp=unit[1] % 2 == 0) else unit
        if b"client_port=" not in unit:
            return unit
        if not to_client and unit.startswith(b"SETUP "):
            relay = UdpRelay(self._proxy.host, lambda rtp: self._proxy.frozen or self._loses(rtp=rtp))
            self._relays.append(relay)
            return relay.request(unit, self._writer.get_extra_info("peername")[0])
        if to_client and self._relays:
            return self._relays[-1].response(unit, self._proxy.target[0])
        return unit

    def _loses(self, *, rtp: bool) -> bool:
        loss = self._proxy.loss
        return self._proxy.no_packets or (rtp and loss > 0 and self._proxy.chance.random() < loss)
