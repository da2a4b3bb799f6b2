"""When the face or the clothes of each track were last checked, and which tracks are due for a check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vision.frames import DUE_SHARE, SECOND
from vision.state import State


class CheckTimes:
    """The last checks of tracks, kept only while they delay the next one.

    A track without an entry is due. So an entry whose track is due says nothing, and is dropped: memory
    does not grow with the number of tracks.
    """

    def __init__(self, rate: float) -> None:
        """Check each track `rate` times a second, at most."""
        self._interval = round(DUE_SHARE * SECOND / rate)
        self._last: dict[int, int] = {}

    def __len__(self) -> int:
        """Number of tracks whose next check is delayed, as of the last call of `due`."""
        return len(self._last)

    def due(self, numbers: Iterable[int], tracks: Sequence[int], t: int) -> list[int]:
        """Those of the row numbers whose tracks are due for a check at `t`; the times never decrease."""
        self._last = {track: last for track, last in self._last.items() if t - last < self._interval}
        return [number for number in numbers if tracks[number] not in self._last]

    def checked(self, track: int, t: int) -> None:
        """Record a check of a track at `t`."""
        self._last[track] = t

    def state(self) -> State:
        """The entries: `tracks` (N,) and `times` (N,)."""
        return {
            "tracks": np.array(list(self._last), np.int64),
            "times": np.array(list(self._last.values()), np.int64),
        }

    def restore(self, state: State) -> None:
        """Take over the entries of `state`."""
        self._last = dict(zip(state["tracks"].tolist(), state["times"].tolist(), strict=True))
