"""Opening of streams in such a way that no read blocks for ever.

How long a read goes on after its `Stop` is set depends on what it reads:

- A pipe or a device is read by `PipeReader`, which ends at once.
- A network address is read by FFmpeg, which PyAV interrupts when nothing has come for the read timeout.
- A file is read by FFmpeg. Between packets the stop is seen at once. A read within the kernel (a network
  drive that no longer answers) can be interrupted by nothing, so `Prefetch.close` leaves its thread behind
  after a bounded time. The thread holds no lock and ends when the read does.

PyAV releases the interpreter's lock while it opens, reads and closes, so other threads go on.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import av
from av.container import InputContainer

from vision.clock import Stop
from vision.sources.timeline import SourceError

OPEN_TIMEOUT_S = 10.0
"""Seconds for a network address to answer; then as many again for its first data. Project default
(docs/defaults.md)."""
READ_TIMEOUT_S = 10.0
"""Seconds without a packet after which an open stream is given up. Project default (docs/defaults.md)."""


class PipeReader:
    """Reads a pipe or a character device until it ends, stays silent, or a stop is requested.

    It has what `av.open` asks of a file, and is for one thread; only the stop may come from another.
    """

    def __init__(self, path: str, stop: Stop, timeout_s: float) -> None:
        """Open `path` without waiting for a writer.

        Args:
            path: the pipe or device.
            stop: ends a read that waits.
            timeout_s: seconds without data after which a read fails.

        Raises:
            OSError: it cannot be opened.
        """
        self.name = path
        self._stop, self._timeout_s = stop, timeout_s
        self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._woken, self._wake = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, as soon as there are any; empty at the end, and once a stop is requested.

        Raises:
            TimeoutError: nothing came in time.
            OSError: the device reports an error.
        """
        if self._stop.is_set():
            return b""
        with self._stop.calling(self._interrupt):
            while not self._stop.is_set():
                if not self._poll.poll(round(self._timeout_s * 1000)):
                    raise TimeoutError(f"no data for {self._timeout_s:g} s")
                if self._stop.is_set():
                    break
                try:
                    return os.read(self._file, size)
                except BlockingIOError:
                    continue  # Another reader of the pipe was faster.
        return b""

    def close(self) -> None:
        """Close the pipe; call it once."""
        for descriptor in (self._file, self._woken, self._wake):
            os.close(descriptor)

    def _interrupt(self) -> None:
        os.write(self._wake, b"\0")


@contextmanager
def open_container(
    address: str,
    stop: Stop,
    *,
    name: str,
    open_timeout_s: float = OPEN_TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> Iterator[InputContainer]:
    """Open a stream that may be silent: a network address, a pipe or a device; a file too.

    Args:
        address: path or URL; it may hold a password and is never shown.
        stop: ends a read of a pipe or device; elsewhere the caller looks at it between packets.
        name: how messages name the stream.
        open_timeout_s: see `OPEN_TIMEOUT_S`; opening ends after twice this time.
        read_timeout_s: see `READ_TIMEOUT_S`; a read then raises `av.ExitError` or `TimeoutError`.

    Raises:
        SourceError: the stream cannot be opened in time.
    """
    with ExitStack() as resources:
        try:
            file: str | PipeReader = address
            if _is_pipe(address):
                file = resources.enter_context(closing(PipeReader(address, stop, read_timeout_s)))
            container = av.open(
                file, "r", timeout=(open_timeout_s, read_timeout_s), metadata_errors="replace"
            )
        except (av.FFmpegError, OSError) as error:
            raise SourceError(
                f"{name}: expected a stream that can be opened, got {error_text(error)}"
            ) from None  # The cause names the address.
        resources.enter_context(container)
        yield container


def error_text(error: Exception) -> str:
    """What an error of FFmpeg or of the system says, without the address or path that it names."""
    if isinstance(error, av.ExitError):
        return "no data in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _is_pipe(address: str) -> bool:
    try:
        mode = os.stat(address).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
