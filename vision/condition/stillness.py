"""Frozen pictures: the same picture comes again and again while the time of the stream goes on.

A live camera never gives the same picture twice for long: the noise of its sensor changes every picture, and
where an encoder skips what hardly changed, the next key frame shows the noise anew. A picture that is held,
or a banner that a recorder encodes again and again, repeats exactly, if not from one picture to the next,
then from one group of pictures to the next. So pictures are frozen when all of them lie within MAX_RESIDUAL
of one picture, and hardly any of them was new for a while. A still picture that is encoded at a constant bit
rate gives ever new pictures until the encoder has settled, and is not told from a live camera with little
noise before.
"""

from __future__ import annotations

import zlib
from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from vision.state import State

MAX_RESIDUAL, MAX_MEAN_RESIDUAL = 12, 1.5
"""Largest difference between pictures of a still run, of a pixel and on the mean, grey levels. H.264 of a
still picture (x264, CRF 23 to 30, key frames every 2 and 20 s; photographs of Penn-Fudan, COCO128 and a PPE
set) differed by 4 and 0.62 at most at 7 px to one, stills of clips by more where less is averaged.
Project default
(docs/defaults.md)."""
MIN_FROZEN_S = 50.0
"""Seconds in which all pictures lie within the residual, before they are frozen: longer than the longest
group of pictures that is usual (Axis Zipstream: 1200 frames, 40 s at 30 frames/s), so that live pictures have
shown a new key frame by then. Project default (docs/defaults.md)."""
MIN_REPEATING_S = 5.0
"""Seconds of the same picture, from which on it may turn out to be frozen. Project default
(docs/defaults.md)."""
FROZEN_NEW_SHARE, LIVE_NEW_SHARE, NEW_MEMORY_S = 0.06, 0.12, 20.0
"""Share of new pictures up to which they are frozen, and from which on they are live again; and the seconds
in which a picture loses two thirds of its weight. After 50 s of that H.264 a still picture came to 0.01 -
0.04, noise of a quarter of a grey level to 0.17 and more (CRF 30, key frames every 20 s, so that most of it
is skipped). Project default (docs/defaults.md)."""
REMEMBERED = 256
"""Pictures that are remembered to know which are new: at 5 pictures/s those of the 51 s that MIN_FROZEN_S
asks for. Project default (docs/defaults.md)."""

Picture = npt.NDArray[np.uint8]


class Stillness:
    """How long the pictures of one camera have been the same."""

    def __init__(self) -> None:
        """Begin without a picture."""
        self._anchor: Picture = np.zeros((0, 0), np.uint8)
        self._seen: deque[int] = deque(maxlen=REMEMBERED)
        self._new, self._all = 0.0, 0.0
        self.since = 0
        self.seconds = 0.0

    @property
    def frozen(self) -> bool:
        """Whether the pictures are the same for so long that no live camera gives them."""
        return self.seconds >= MIN_FROZEN_S and self._new_share <= FROZEN_NEW_SHARE

    @property
    def repeats(self) -> bool:
        """Whether the pictures may turn out to be frozen."""
        return self.seconds >= MIN_REPEATING_S and self._new_share < LIVE_NEW_SHARE

    @property
    def live(self) -> bool:
        """Whether pictures that were frozen no longer are."""
        return self.seconds == 0.0 or self._new_share >= LIVE_NEW_SHARE

    def enter(self, picture: Picture, t: int, seconds: float) -> None:
        """Take the next picture, at t (microseconds), which speaks for `seconds` since the one before."""
        digest = zlib.crc32(picture.tobytes())
        new = digest not in self._seen
        if picture.shape != self._anchor.shape or not self._within_residual(picture):
            self._anchor, self.since, self.seconds = picture.copy(), t, 0.0
            self._new, self._all = 0.0, 0.0
            self._seen.clear()
            self._seen.append(digest)
            return
        self.seconds += seconds
        kept = float(np.exp(-seconds / NEW_MEMORY_S))
        self._new, self._all = self._new * kept + new, self._all * kept + 1.0
        if new:
            self._seen.append(digest)

    def state(self) -> State:
        """The run of still pictures: the first of it, digests of its pictures, and its times."""
        return {
            "anchor": self._anchor,
            "seen": np.array(self._seen, np.int64),
            "counts": np.array([self._new, self._all, self.seconds]),
            "since": np.array(self.since, np.int64),
        }

    def restore(self, state: State) -> None:
        """Take over a state."""
        self._anchor = state["anchor"].astype(np.uint8)
        self._seen = deque(state["seen"].astype(int).tolist(), maxlen=REMEMBERED)
        self._new, self._all, self.seconds = state["counts"].astype(float).tolist()
        self.since = int(state["since"])

    @property
    def _new_share(self) -> float:
        return self._new / self._all if self._all else 0.0

    def _within_residual(self, picture: Picture) -> bool:
        difference = cv2.absdiff(picture, self._anchor)
        _, largest, _, _ = cv2.minMaxLoc(difference)
        return largest <= MAX_RESIDUAL and cv2.mean(difference)[0] <= MAX_MEAN_RESIDUAL
