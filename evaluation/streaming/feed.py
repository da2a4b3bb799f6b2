"""The pictures of a mount in real time: one file after the other, for ever."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluation.streaming.clips import Clip, Picture
from evaluation.streaming.faults import Faults
from evaluation.streaming.packetising import CLOCK_HZ
from vision.clock import Clock

_LOOK_S = 0.05
"""Seconds between two looks at switches while the next picture is not due."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent, as truth for tests.

    Attributes:
        path: the file.
        number: of the picture in it, from 0, in the order of decoding.
        key: whether it is a key frame.
        stamp: its RTP timestamp.
        t: microseconds UTC at which it was due to be sent, by the clock of the server.
    """

    path: Path
    number: int
    key: bool
    stamp: int
    t: int


class Receiver(Protocol):
    """A client, or another receiver, to which the pictures are given."""

    def deliver(self, payloads: Sequence[bytes], sent: Sent) -> None:
        """Take the payloads of one picture; must not wait."""

    def ended(self) -> None:
        """No further picture comes."""


class Feed:
    """Gives pictures to receivers when they are due.

    Attributes:
        receivers: who is given the pictures.
        late_s: by how many seconds the latest picture was late, at most; a server that is overloaded.
        sent: the last 10,000 pictures that were due.
        stamp: RTP timestamp of the next picture.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        faults: Faults,
        clock: Clock,
        *,
        pace: float = 1.0,
        loop: bool = True,
        start_s: float = 0.0,
        first_stamp: int | None = None,
    ) -> None:
        """Prepare; `run` begins. See `RtspServer.mount` for the arguments."""
        self._clips, self._switched = tuple(clips), False
        self._faults, self._clock, self._pace, self._loop = faults, clock, pace, loop
        self._shift = secrets.randbits(32) if first_stamp is None else first_stamp
        self._start = round(start_s * CLOCK_HZ)
        self.receivers: list[Receiver] = []
        self.late_s = 0.0
        self.sent: deque[Sent] = deque(maxlen=10_000)
        self.stamp = self._shift % 2**32
        self.playing = self._clips[0]
        self._last_key: Picture | None = None

    def switch(self, clips: Sequence[Clip]) -> None:
        """Go on with other files at the next picture; timestamps go on."""
        self._clips, self._switched = tuple(clips), True

    async def run(self) -> None:
        """Give the pictures until cancelled, or until the end where the feed does not loop."""
        loop = asyncio.get_running_loop()
        began, epoch, origin = loop.time(), self._clock.now(), -1
        key: Picture | None = None  # the picture that a frozen camera repeats
        rate = self._faults.delivery_rate * self._pace
        for offset, clip, picture in self._pictures():
            position = offset + picture.due
            if origin < 0:
                origin = position
                self._shift -= round(position / self._pace)
            while True:
                due_s = (position - origin) / CLOCK_HZ / rate
                wait_s = began + due_s - loop.time()
                if wait_s <= 0:
                    break
                if (now_rate := self._faults.delivery_rate * self._pace) != rate:
                    # What is already due stays so; only what follows comes at the new rate.
                    passed = loop.time() - began
                    began, epoch = began + passed, epoch + round(passed * 1e6)
                    origin, rate = origin + round(passed * rate * CLOCK_HZ), now_rate
                    continue
                await asyncio.sleep(min(wait_s, _LOOK_S))
            self.late_s = max(self.late_s, -wait_s)
            if picture.key and not self._faults.frozen:
                key = None
            given = picture
            if self._faults.frozen or key is not None:
                key = given = key or self._last_key or picture
            elif picture.key:
                self._last_key = picture
            stamp = self._stamp(offset + picture.shown)
            sent = Sent(clip.path, given.number, given.key, stamp, epoch + round(due_s * 1e6))
            self._give(given, sent)
        for receiver in tuple(self.receivers):
            receiver.ended()

    def _pictures(self) -> Iterator[tuple[int, Clip, Picture]]:
        """Clip after clip, with the ticks at which each begins."""
        offset, started = 0, False
        while True:
            self._switched = False
            for clip in self._clips:
                self.playing = clip
                for picture in clip.pictures:
                    if not started:
                        started = picture.key and offset + picture.due >= self._start
                        if not started:
                            continue
                    yield offset, clip, picture
                    if self._switched:
                        break
                if self._switched:
                    # The clock goes on from the picture that was sent last.
                    offset += picture.due + clip.ticks // len(clip.pictures)
                    break
                offset += clip.ticks
            else:
                if not self._loop:
                    return

    def _stamp(self, shown: int) -> int:
        ticks = round(shown / self._pace)
        if self._faults.take_restart():
            self._shift = -ticks
        self._shift += round(self._faults.take_jump_s() * CLOCK_HZ)
        self.stamp = (ticks + self._shift) % 2**32
        return self.stamp

    def _give(self, picture: Picture, sent: Sent) -> None:
        self.sent.append(sent)
        faults = self._faults
        if faults.silent or faults.no_packets:
            return
        given: Sequence[bytes] = picture.payloads
        if faults.take_stop(picture.key):
            given = given[: len(given) // 2]
        for receiver in tuple(self.receivers):
            receiver.deliver(given, sent)
