"""What FFmpeg logs: statuses of RTSP and lost packets stand in it alone."""

from __future__ import annotations

import logging
import threading
from collections import deque

import av.logging

NOISE = ("missed", "concealing", "Frame num", "reference", "corrupt", "decode_slice", "Could not find ref")
"""Words of FFmpeg's log that tell of packets that were lost or of pictures that are damaged."""
KEPT_LINES = 50
"""Lines that are kept for each thread."""


class _Lines(threading.local):
    """What was logged in a thread, newest last, and whether it told of damage."""

    def __init__(self) -> None:
        self.kept: deque[str] = deque(maxlen=KEPT_LINES)
        self.damaged = False


class FFmpegLog(logging.Handler):
    """Keeps what FFmpeg logs, for each thread of a process apart: one thread reads one stream.

    The text may name an address, so it is searched and never shown.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__(logging.WARNING)
        self._lines = _Lines()

    def install(self) -> None:
        """Receive FFmpeg's log in this process from now on."""
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.WARNING)
        logger = logging.getLogger("libav")
        logger.handlers, logger.propagate = [self], False

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; FFmpeg logs it in the thread that called it."""
        text = record.getMessage()
        self._lines.kept.append(text)
        if any(word in text for word in NOISE):
            self._lines.damaged = True

    def take_damaged(self) -> bool:
        """Whether a line of this thread since its last call told of lost packets or damaged pictures."""
        damaged, self._lines.damaged = self._lines.damaged, False
        return damaged

    def take_text(self) -> str:
        """The lines of this thread since its last call."""
        text = " | ".join(self._lines.kept)
        self._lines.kept.clear()
        return text
