"""The server: a thread of its own, in which all mounts and all clients are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from evaluation.streaming.connection import Connection
from evaluation.streaming.loop_thread import LoopThread
from evaluation.streaming.mount import Mount, Options, load
from vision.clock import Clock, SystemClock
from zones.errors import LazarettoError

_LOOK_S = 0.02
"""Seconds between two looks at the script."""


class RtspServer:
    """Serves video files as cameras would.

    Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, clock: Clock | None = None) -> None:
        """Prepare a server.

        Args:
            host: address to listen at.
            port: port to listen at; 0 = any that is free.
            clock: what sender reports and scripts go by. Pictures are sent in real time all the same.
        """
        self.host, self.port = host, port
        self.clock: Clock = clock or SystemClock()
        self.mounts: dict[str, Mount] = {}
        self._listening: asyncio.Server | None = None
        self._thread: LoopThread | None = None
        self._connections: set[Connection] = set()
        self._scripts: list[Future[None]] = []
        self._serving: set[asyncio.Task[Any]] = set()

    def mount(self, path: str, media: Path | Sequence[Path], **options: Any) -> Mount:
        """Serve files under a path, before or after the start.

        Args:
            path: such as `/yard/main`.
            media: a file, or several of one codec that are shown one after the other, again and again.
            **options: those of `Options`.

        Raises:
            LazarettoError: a file cannot be sent, or the files do not have one codec.
        """
        made = Options(**options)
        loaded = load(media, made)
        if len({clip.codec for clip in loaded}) != 1:
            raise LazarettoError(
                f"{path}: expected files of one codec, got {[clip.codec for clip in loaded]}"
            )
        mount = Mount("/" + path.strip("/"), made, self.clock, loaded)
        self.mounts[mount.path] = mount
        if self._thread is not None:
            self._thread.loop.call_soon_threadsafe(mount.begin, self._thread.loop)
        return mount

    def url(self, path: str, *, port: int | None = None) -> str:
        """The URL of a mount, with its login; `port` is that of a proxy in front."""
        mount = self.mounts["/" + path.strip("/")]
        login = mount.options.login
        user = f"{quote(login.user, safe='')}:{quote(login.password, safe='')}@" if login else ""
        return f"rtsp://{user}{self.host}:{port or self.port}{mount.path}"

    def start(self) -> RtspServer:
        """Listen, and let time pass; returns when clients can connect.

        Raises:
            LazarettoError: the port cannot be had.
        """
        thread = LoopThread("rtsp-server")
        try:
            thread.call(self._listen())
        except OSError as error:
            thread.end()
            raise LazarettoError(
                f"{self.host}:{self.port}: expected a port to listen at, got: {error}"
            ) from error
        self._thread = thread
        return self

    async def _listen(self) -> None:
        self._listening = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._listening.sockets[0].getsockname()[1]
        for mount in self.mounts.values():
            mount.begin(asyncio.get_running_loop())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self.mounts, reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(connection)
        self._serving.add(task)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
            self._serving.discard(task)

    def script(self, steps: Sequence[tuple[float, Callable[[], object]]]) -> None:
        """Do something later, such as `(5.0, mount.faults.stop_mid_gop)`; the server must have been started.

        Args:
            steps: seconds from now by the server's clock, and what is called then, in the server's thread.
        """
        assert self._thread is not None, "start the server first"
        work = self._follow(sorted(steps, key=lambda step: step[0]))
        self._scripts.append(asyncio.run_coroutine_threadsafe(work, self._thread.loop))

    async def _follow(self, steps: Sequence[tuple[float, Callable[[], object]]]) -> None:
        began = self.clock.now()
        for after_s, call in steps:
            while self.clock.now() - began < after_s * 1e6:
                await asyncio.sleep(_LOOK_S)
            call()

    def stop(self) -> None:
        """Close all connections and end the thread; a second call does nothing.

        Raises:
            Exception: what a step of a script raised.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.call(self._close())
            thread.end()
        for script in self._scripts:
            if not script.cancelled():
                script.result()

    async def _close(self) -> None:
        assert self._listening is not None
        self._listening.close()
        for connection in tuple(self._connections):
            connection.close()
        # Who serves a connection ends with it; feeds and scripts are cancelled with the thread.
        await asyncio.gather(*self._serving, return_exceptions=True)

    def __enter__(self) -> RtspServer:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
