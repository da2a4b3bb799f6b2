"""An RTSP connection cut into messages and interleaved packets, for who stands between client and camera."""

from __future__ import annotations

import re

_LONGEST_HEAD = 65_536
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


class Framing:
    """Takes bytes as they come and gives whole units; joined, the units are the bytes that came."""

    def __init__(self) -> None:
        """Begin at the start of a connection."""
        self._rest = b""

    def units(self, data: bytes) -> list[bytes]:
        """The units that are complete now: interleaved packets (they begin with `$`), messages, or neither.

        What is neither a packet nor a message is given on as it came.
        """
        self._rest += data
        made = []
        at = 0
        while (size := self._size(at)) is not None:
            made.append(self._rest[at : at + size])
            at += size
        self._rest = self._rest[at:]
        return made

    def _size(self, at: int) -> int | None:
        """Bytes of the unit at this place; None = not complete."""
        have = len(self._rest) - at
        if have == 0:
            return None
        if self._rest[at : at + 1] == b"$":
            size = 4 + int.from_bytes(self._rest[at + 2 : at + 4], "big") if have >= 4 else have + 1
            return size if have >= size else None
        if not self._rest[at : at + 1].isalpha():
            return have
        end = self._rest.find(b"\r\n\r\n", at)
        if end < 0:
            return None if have < _LONGEST_HEAD else have
        length = _LENGTH.search(self._rest, at, end)
        size = end + 4 - at + (int(length[1]) if length else 0)
        return size if have >= size else None
