"""Which detection is whose: tracks that survive occlusion, crossing and short absence.

Every frame: predict where everybody is (`motion`, on the floor's scale), compare detections with
predictions, and where that leaves a doubt, with what people look like (`gallery`); match as a whole. What
is left over begins new tracks, some of which turn out to be people who were lost (`returning`); after
crossings, identities are checked (`crossing`).

Everything counts seconds of stream time, so that any frame rate and any gap will do. A person is only ever
reported where the frame shows a detection, never where one is only expected; the box reported is the
filter's estimate after that detection, which hidden legs do not pull up and jitter moves less.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from vision.frames import SECOND
from vision.tracking import id_swaps, motion
from vision.tracking.boxes import Size, at_way_out, clear, cut_off, overlap
from vision.tracking.floor import Floor
from vision.tracking.gallery import log_odds
from vision.tracking.reidentification import UNSEEN, returned, stranger, tempered
from vision.tracking.settings import TrackerSettings
from vision.tracking.track import Track
from zones.facility import CalibrationSpec

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Look = Callable[[Sequence[int]], np.ndarray]
"""Given numbers of detections of a frame, what they look like: unit vectors (N, D)."""

PRESENT = 0.2
"""Detections from this score on may cover others and are worth a look [D]."""
DOUBT = -2.0
"""Log odds from which on a detection might be a person's, so that two such make a doubt [D]."""
DUPLICATE = 0.6
"""A detection that overlaps one that is somebody's by this much (IoU) is of the same person: just below the
0.7 that the detector itself lets pass."""
DOUBTS = round(0.18 * SECOND)
"""Microseconds between looks at doubtful detections: at 5 frames/s every frame, at 30 every sixth."""
MOST_LOST = 200
"""People remembered as lost, at most: bounds the memory of a camera over a crowd."""
EARLY = 3
"""Until a person has this many views, looks come this many times as often."""
ON_TIME = 0.9
"""A look is due this share of its interval early: at 3.5 frames/s a strict second would be 1.14 s."""


class PersonTracker:
    """Follows the people of one stream; ids are the same whenever the same stream is analysed."""

    def __init__(
        self, stream: str, settings: TrackerSettings | None = None, calibration: CalibrationSpec | None = None
    ) -> None:
        """Begin a stream.

        Args:
            stream: names the stream (camera and its start); ids of different streams do not collide.
            settings: see `TrackerSettings`.
            calibration: of the camera's floor; without it, people's heights are the yardstick.
        """
        self._stream = stream
        self._settings = settings or TrackerSettings()
        self._calibration = calibration
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._begun = 0
        self._people = 0
        self._doubted: int | None = None
        self._last = 0
        self._floor = Floor(None, (0, 0))

    @property
    def remembered(self) -> int:
        """How many people are kept in memory, in view or lost."""
        return len(self._tracks) + len(self._lost)

    def update(
        self, rows: np.ndarray, t: int, size: Size = (0, 0), look: Look | None = None
    ) -> tuple[np.ndarray, Ints]:
        """Take one frame's detections (x1, y1, x2, y2, score) at `t` (microseconds, increasing).

        Args:
            rows: (N, 5), px.
            t: stream time.
            size: width and height of the frame, px; (0, 0) if unknown, and then no calibration is used.
            look: reads the appearance of detections, asked at most once; None to follow by motion alone.

        Returns:
            Rows (M, 5) of confirmed people that were detected, in the order in which they first came: the
            estimated box and the detection's score; and their ids. Unconfirmed detections are left out:
            they share no identity yet.
        """
        boxes, scores = rows[:, :4].astype(np.float64), rows[:, 4].astype(np.float64)
        if size != self._floor.size:
            self._floor = Floor(self._calibration, size)
        floor = self._floor
        self._predict(t, floor)
        odds, views = self._compare(boxes, scores, t, size)
        shown = clear(boxes, scores >= PRESENT)
        looks = self._look(odds, scores, shown, t, look)
        for number, view in looks.items():
            for row, track in enumerate(self._tracks):
                odds[row, number] += log_odds(view, track.gallery.mean)
        matched: dict[int, Track] = {}
        for row, number in _assign(odds):
            track = self._tracks[row]
            noise = motion.noise_of(int(views[row, number]), cut_off(boxes[number], size))
            self._correct(track, boxes[number], float(scores[number]), noise, t)
            matched[number] = track
        self._begin(boxes, scores, matched, t, floor)
        for number, view in looks.items():
            if number in matched and shown[number]:
                matched[number].remember(view, t)
        id_swaps.meet(self._tracks, t)
        self._name(matched, t)
        id_swaps.settle(self._tracks, {track.key: track for track in [*self._tracks, *self._lost]}, t)
        self._retire(t)
        self._last = t
        return self._report(matched, scores)

    def _predict(self, t: int, floor: Floor) -> None:
        if not self._tracks:
            return
        means = np.stack([track.mean for track in self._tracks])
        covariances = np.stack([track.covariance for track in self._tracks])
        dt = np.array([max(0, t - track.at) / SECOND for track in self._tracks])
        metre = floor.px_per_metre(means[:, :2], means[:, 4])
        moved, covariances = motion.predict(means, covariances, dt, metre)
        moved[:, 4:] *= floor.growth(means[:, :2], moved[:, :2])[:, None]
        for track, mean, covariance in zip(self._tracks, moved, covariances, strict=True):
            track.mean, track.covariance, track.at = mean, covariance, t

    def _compare(self, boxes: Floats, scores: Floats, t: int, size: Size) -> tuple[Floats, Ints]:
        """Log odds (T, D) that a detection is a person's rather than another's or a ghost; views (T, D)."""
        if not self._tracks or not len(boxes):
            shape = len(self._tracks), len(boxes)
            return np.zeros(shape), np.zeros(shape, np.int64)
        means = np.stack([track.mean for track in self._tracks])
        density, views = motion.fit(means, np.stack([track.covariance for track in self._tracks]), boxes)
        room = np.array([motion.room(size, tall) for tall in means[:, 4].tolist()])
        sure = np.clip(scores, 0.02, 0.98)
        ghost = np.minimum(0.0, np.log(sure / (1 - sure)))
        odds = density + (np.log(room) - motion.OTHER_SIZE)[:, None] + ghost
        # A person seen in the last frame is expected, however long ago that was.
        unseen = np.array([track.seen < self._last and t - track.seen >= UNSEEN for track in self._tracks])
        odds[unseen] = tempered(odds[unseen]) - [stranger(box, size) for box in boxes]
        return odds, views

    def _look(
        self, odds: Floats, scores: Floats, shown: Bools, t: int, look: Look | None
    ) -> dict[int, np.ndarray]:
        """Look at the detections of this frame where it can matter: what each looks like, by number."""
        if look is None or not len(scores):
            return {}
        may = odds > DOUBT
        crowded = may.sum(axis=1) >= 2
        doubtful = (may.sum(axis=0) >= 2) | (may & crowded[:, None]).any(axis=0)
        if self._doubted is not None and t - self._doubted < DOUBTS:
            doubtful[:] = False
        wanted = []
        for number in np.flatnonzero(scores >= PRESENT).tolist():
            who = np.flatnonzero(may[:, number])
            if doubtful[number]:
                wanted.append(number)
            elif not len(who):
                if scores[number] >= self._settings.new_track_score:
                    wanted.append(number)
            elif shown[number] and self._due(self._tracks[who[0]], t):
                wanted.append(number)
        if doubtful.any():
            self._doubted = t
        return dict(zip(wanted, look(wanted), strict=True)) if wanted else {}

    def _due(self, track: Track, t: int) -> bool:
        if track.looked is None or t - track.seen > SECOND:
            return True
        interval = SECOND / self._settings.reid_hz
        if track.met or len(track.gallery) < EARLY:
            interval /= EARLY
        return t - track.looked >= ON_TIME * interval

    def _correct(self, track: Track, box: Floats, score: float, noise: Floats, t: int) -> None:
        track.mean, track.covariance = motion.correct(track.mean, track.covariance, box, noise)
        track.anchor = track.mean, track.covariance
        track.seen = t
        track.hits += 1
        if score >= self._settings.strong_score:
            track.strong = t

    def _begin(self, boxes: Floats, scores: Floats, matched: dict[int, Track], t: int, floor: Floor) -> None:
        taken = boxes[list(matched)]
        for number in np.flatnonzero(scores >= self._settings.new_track_score).tolist():
            box = boxes[number]
            if number in matched or (len(taken) and overlap(box[None], taken).max() > DUPLICATE):
                continue
            foot = np.array([[(box[0] + box[2]) / 2, box[3]]])
            state = motion.begin(box, floor.px_per_metre(foot, box[3:] - box[1:2])[0])
            track = Track(self._begun, box, t, *state, at=t, anchor=state, seen=t, strong=t)
            self._begun += 1
            self._tracks.append(track)
            matched[number] = track

    def _name(self, matched: dict[int, Track], t: int) -> None:
        """Give confirmed tracks an identity: that of somebody who was lost, or a new one."""
        settings = self._settings
        for number, track in matched.items():
            if track.settled or track.hits < settings.confirm_frames:
                continue
            old = returned(track, [*self._lost, *self._tracks], t, self._floor)
            if old is not None:
                old.resume(track)
                self._lost = [other for other in self._lost if other is not old]
                self._tracks = [other for other in self._tracks if other is not old]
                self._tracks[self._tracks.index(track)] = old
                matched[number] = old
                continue
            if track.identity is None:
                track.identity = self._people
                self._people += 1
            enough = settings.reid_window_s * SECOND * (1 if len(track.gallery) >= EARLY else EARLY)
            track.settled = t - track.born > enough

    def _retire(self, t: int) -> None:
        patience = self._settings.coast_s * SECOND
        kept = []
        for track in self._tracks:
            if track.identity is None:
                if track.seen == t:
                    kept.append(track)
            elif max(t - track.seen, t - track.strong) > patience or self._gone(track, t):
                self._lost.append(track)
            else:
                kept.append(track)
        self._tracks = kept
        remembered = self._settings.lost_s * SECOND
        self._lost = [track for track in self._lost if t - track.seen <= remembered][-MOST_LOST:]

    def _gone(self, track: Track, t: int) -> bool:
        """Whether an unseen person must by now have walked out of the frame: no longer to be expected."""
        return t - track.seen >= UNSEEN and at_way_out(
            motion.boxes(track.mean[None])[0], self._floor.size, 0.1
        )

    def _report(self, matched: dict[int, Track], scores: Floats) -> tuple[np.ndarray, Ints]:
        found = [(track.identity, number) for number, track in matched.items() if track.identity is not None]
        found.sort()
        if not found:
            return np.zeros((0, 5), np.float32), np.zeros(0, np.int64)
        numbers = [number for _, number in found]
        boxes = motion.boxes(np.stack([matched[number].mean for number in numbers]))
        ids = np.array([self._id(identity) for identity, _ in found], dtype=np.int64)
        return np.column_stack([boxes, scores[numbers]]).astype(np.float32), ids

    def _id(self, identity: int) -> int:
        digest = hashlib.blake2b(f"{self._stream}|{identity}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1  # 63 bits: fits a signed column


def _assign(odds: Floats) -> list[tuple[int, int]]:
    """Pairs (row, column) with positive log odds whose sum is largest."""
    if not odds.size:
        return []
    gain = np.maximum(odds, 0.0)
    rows, columns = linear_sum_assignment(-gain)
    return [(r, c) for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if gain[r, c] > 0]
