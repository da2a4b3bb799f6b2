"""Our tracker: which detection belongs to which person, through occlusion, crossing and short absence.

Each frame, the motion of all tracks is predicted (`motion`, on the scale of the floor) and compared with the
detections. Where that is ambiguous, embeddings are compared as well (`gallery`). All pairs are then assigned
at once. Detections that remain begin new tracks, some of which continue lost ones (`reidentification`).
After people have crossed, identities are checked (`id_swaps`).

All limits are in seconds of stream time, so any frame rate and any gap will do. A person is reported only in
frames with a detection. The reported box is the estimate of the filter after the detection: hidden legs do
not move its lower edge up, and it jitters less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import supervision as sv
from scipy.optimize import linear_sum_assignment

from vision.frames import DUE_SHARE, SECOND
from vision.state import State, as_part, part_of, text_array, text_of
from vision.tracking import id_swaps, motion
from vision.tracking.boxes import cut_off_edges, near_exit, overlaps, unoccluded
from vision.tracking.floor import Floor
from vision.tracking.gallery import same_person_log_odds
from vision.tracking.protocol import Embed, examined, frame_size, person_detections, scores
from vision.tracking.reidentification import (
    EXIT_HEIGHTS,
    MIN_UNSEEN_US,
    bounded_place_log_odds,
    find_lost_track,
    new_person_log_odds,
)
from vision.tracking.saved_tracks import NONE, or_none, pack, unpack
from vision.tracking.settings import TrackerSettings
from vision.tracking.track import Track, stream_id
from zones.facility import CalibrationSpec

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MIN_PRESENT_SCORE = 0.2
"""Least score of a detection that may occlude others and whose embedding may be read.
Project default (docs/defaults.md)."""
MIN_CANDIDATE_LOG_ODDS = -2.0
"""Log odds from which on a detection may belong to a track; two such pairs make an assignment ambiguous.
Project default (docs/defaults.md)."""
DUPLICATE_IOU = 0.6
"""IoU with an assigned detection from which on a detection is of the same person. It is just below the 0.7
that the detector's non-maximum suppression lets pass."""
AMBIGUITY_INTERVAL_US = round(0.18 * SECOND)
"""Least microseconds between embeddings of ambiguous detections: at 5 frames/s every frame, at 30
every sixth."""
MAX_LOST_TRACKS = 200
"""Lost tracks kept in memory, at most; bounds the memory of a camera over a crowd."""
EARLY_EMBEDDINGS = 3
"""Until a person has this many embeddings, they are read this many times as often."""
SCORE_RANGE = (0.02, 0.98)
"""Scores are clipped to this range before they become log odds."""


class PersonTracker:
    """Tracks the people of one stream; ids are the same whenever the same stream is analysed.

    Implements `ResumableTracker`.
    """

    def __init__(
        self,
        stream: str,
        settings: TrackerSettings | None = None,
        calibration: CalibrationSpec | None = None,
        embed: Embed | None = None,
    ) -> None:
        """Begin a stream.

        Args:
            stream: name of the stream (camera and its start); ids of different streams do not collide.
            settings: see `TrackerSettings`.
            calibration: of the camera's floor; without it, the height of people gives the scale.
            embed: reads embeddings of detections of the current frame, at most once a frame; without it,
                people are tracked by motion alone.
        """
        self._stream = stream
        self._settings = settings or TrackerSettings()
        self._calibration = calibration
        self._embed = embed
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._tracks_begun = 0
        self._identities = 0
        self._last_ambiguity: int | None = None
        self._floor = Floor(None, (0, 0))

    @property
    def remembered(self) -> int:
        """Number of tracks in memory, current or lost."""
        return len(self._tracks) + len(self._lost)

    def update(
        self,
        detections: sv.Detections,
        frame: npt.NDArray[np.uint8] | None = None,
        timestamp: float | None = None,
    ) -> sv.Detections:
        """Track the people of the next frame; see `Tracker.update`.

        Args:
            detections: of the frame. Where their metadata have no frame size, no calibration is used.
            frame: not used; pixels are read through `embed`.
            timestamp: stream time of the frame, seconds since the epoch.

        Returns:
            The confirmed people that were detected, in the order of their first detection: the estimated
            box and the score of the detection. Detections without a confirmed track are left out.

        Raises:
            ValueError: no time was given.
        """
        if timestamp is None:
            raise ValueError("expected the time of the frame in seconds, got none")
        t = round(timestamp * SECOND)
        boxes, confidence = detections.xyxy.astype(np.float64), scores(detections).astype(np.float64)
        if (size := frame_size(detections)) != self._floor.size:
            self._floor = Floor(self._calibration, size)
        means, covariances = self._predict(t)
        log_odds, visibilities = self._compare(means, covariances, boxes, confidence, t)
        clear = unoccluded(boxes, confidence >= MIN_PRESENT_SCORE)
        embeddings = self._read_embeddings(log_odds, confidence, clear, t)
        for number, embedding in embeddings.items():
            for row, track in enumerate(self._tracks):
                log_odds[row, number] += same_person_log_odds(embedding, track.gallery.mean)
        assigned = _assign(log_odds)
        matched: dict[int, Track] = {}
        if assigned:
            rows, numbers = (list(part) for part in zip(*assigned, strict=True))
            noise = motion.edge_noise(visibilities[rows, numbers], cut_off_edges(boxes[numbers], size))
            corrected = motion.correct(means[rows], covariances[rows], boxes[numbers], noise)
            for row, number, mean, covariance in zip(rows, numbers, *corrected, strict=True):
                matched[number] = self._tracks[row]
                self._found(matched[number], mean, covariance, float(confidence[number]), t)
        self._begin_tracks(boxes, confidence, matched, t)
        for number, embedding in embeddings.items():
            if number in matched and clear[number]:
                matched[number].add_embedding(embedding, t)
        id_swaps.begin_crossings(self._tracks, t)
        self._identify(matched, t)
        known = {track.key: track for track in [*self._tracks, *self._lost]}
        id_swaps.resolve_crossings(self._tracks, known, t)
        self._note_examined(examined(detections), t)
        self._retire(t)
        return self._report(matched, confidence)

    def state(self) -> State:
        """The state after the last frame; see `ResumableTracker.state`.

        It holds the current tracks and the lost ones that can still be re-identified, at most
        MAX_LOST_TRACKS: 800 bytes of each, and its embeddings, 256 bytes each (128 numbers in half
        precision). Of these there are at most 8, or 16 while it crosses others.
        """
        ambiguity = NONE if self._last_ambiguity is None else self._last_ambiguity
        numbers = [len(self._tracks), self._tracks_begun, self._identities, ambiguity]
        return {
            "stream": text_array(self._stream),
            "numbers": np.array(numbers, np.int64),
            **as_part("tracks", pack([*self._tracks, *self._lost])),
        }

    def restore(self, state: State) -> None:
        """Take over a state; see `ResumableTracker.restore`."""
        self._stream = text_of(state["stream"])
        current, self._tracks_begun, self._identities, ambiguity = state["numbers"].tolist()
        self._last_ambiguity = or_none(ambiguity)
        tracks = unpack(part_of(state, "tracks"))
        self._tracks, self._lost = tracks[:current], tracks[current:]

    def _predict(self, t: int) -> tuple[Floats, Floats]:
        """Predict all tracks to `t`: their states (T, 6) and covariances (T, 6, 6)."""
        if not self._tracks:
            return np.zeros((0, 6)), np.zeros((0, 6, 6))
        means = np.stack([track.mean for track in self._tracks])
        covariances = np.stack([track.covariance for track in self._tracks])
        dt = np.array([max(0, t - track.state_time) / SECOND for track in self._tracks])
        scale = self._floor.px_per_metre(means[:, :2], means[:, 4])
        predicted, covariances = motion.predict(means, covariances, dt, scale)
        predicted[:, 4:] *= self._floor.height_ratios(means[:, :2], predicted[:, :2])[:, None]
        for track, mean, covariance in zip(self._tracks, predicted, covariances, strict=True):
            track.mean, track.covariance, track.state_time = mean, covariance, t
        return predicted, covariances

    def _compare(
        self, means: Floats, covariances: Floats, boxes: Floats, confidence: Floats, t: int
    ) -> tuple[Floats, Ints]:
        """Log odds (T, D) that a detection is of a track's person, and not of another person or false.

        Also the visibility (T, D) of each pair; see `motion.VISIBILITIES`.
        """
        if not self._tracks or not len(boxes):
            shape = len(self._tracks), len(boxes)
            return np.zeros(shape), np.zeros(shape, np.int64)
        size = self._floor.size
        log_density, visibilities = motion.log_densities(means, covariances, boxes)
        area = np.array([motion.frame_area(size, height) for height in means[:, 4].tolist()])
        score = np.clip(confidence, *SCORE_RANGE)
        false_detection = np.minimum(0.0, np.log(score / (1 - score)))
        log_odds = log_density + (np.log(area) - motion.OTHER_SIZE_LOG_DENSITY)[:, None] + false_detection
        # A person detected in the last frame that showed the place is expected, however long ago that was.
        unseen = np.array(
            [
                track.last_seen < track.last_examined and t - track.last_seen >= MIN_UNSEEN_US
                for track in self._tracks
            ]
        )
        new_person = [new_person_log_odds(box, size) for box in boxes]
        log_odds[unseen] = bounded_place_log_odds(log_odds[unseen]) - new_person
        return log_odds, visibilities

    def _read_embeddings(
        self, log_odds: Floats, confidence: Floats, clear: Bools, t: int
    ) -> dict[int, np.ndarray]:
        """Read the embeddings that can decide something or are due: number of the detection -> embedding."""
        if self._embed is None or not len(confidence):
            return {}
        candidate = log_odds > MIN_CANDIDATE_LOG_ODDS
        contested = candidate.sum(axis=1) >= 2
        ambiguous = (candidate.sum(axis=0) >= 2) | (candidate & contested[:, None]).any(axis=0)
        if self._last_ambiguity is not None and t - self._last_ambiguity < AMBIGUITY_INTERVAL_US:
            ambiguous[:] = False
        wanted = []
        for number in np.flatnonzero(confidence >= MIN_PRESENT_SCORE).tolist():
            candidates = np.flatnonzero(candidate[:, number])
            if ambiguous[number]:
                wanted.append(number)
            elif not len(candidates):
                if confidence[number] >= self._settings.new_track_score:
                    wanted.append(number)
            elif clear[number] and self._embedding_due(self._tracks[candidates[0]], t):
                wanted.append(number)
        if ambiguous.any():
            self._last_ambiguity = t
        return dict(zip(wanted, self._embed(wanted), strict=True)) if wanted else {}

    def _embedding_due(self, track: Track, t: int) -> bool:
        if track.last_embedded is None or t - track.last_seen > SECOND:
            return True
        interval = SECOND / self._settings.reid_hz
        if track.crossings or len(track.gallery) < EARLY_EMBEDDINGS:
            interval /= EARLY_EMBEDDINGS
        return t - track.last_embedded >= DUE_SHARE * interval

    def _found(self, track: Track, mean: Floats, covariance: Floats, score: float, t: int) -> None:
        track.mean, track.covariance = track.anchor = mean, covariance
        track.last_seen = t
        track.hits += 1
        if score >= self._settings.strong_score:
            track.last_strong = t

    def _begin_tracks(self, boxes: Floats, confidence: Floats, matched: dict[int, Track], t: int) -> None:
        """Begin a track at each strong detection that neither is assigned nor duplicates an assigned one."""
        assigned = boxes[list(matched)]
        for number in np.flatnonzero(confidence >= self._settings.new_track_score).tolist():
            box = boxes[number]
            if number in matched:
                continue
            if len(assigned) and overlaps(box[None], assigned).max() > DUPLICATE_IOU:
                continue
            foot = np.array([[(box[0] + box[2]) / 2, box[3]]])
            scale = self._floor.px_per_metre(foot, box[3:] - box[1:2])[0]
            mean, covariance = motion.initial_state(box, scale)
            track = Track(
                key=self._tracks_begun,
                first_box=box,
                first_seen=t,
                mean=mean,
                covariance=covariance,
                state_time=t,
                anchor=(mean, covariance),
                last_seen=t,
                last_strong=t,
                last_examined=t,
            )
            self._tracks_begun += 1
            self._tracks.append(track)
            matched[number] = track

    def _identify(self, matched: dict[int, Track], t: int) -> None:
        """Give confirmed tracks an identity: that of a lost person, or a new one."""
        settings = self._settings
        for number, track in matched.items():
            if track.reid_done or track.hits < settings.confirm_frames:
                continue
            old = find_lost_track(track, [*self._lost, *self._tracks], t, self._floor)
            if old is not None:
                old.continue_with(track)
                self._lost = [other for other in self._lost if other is not old]
                self._tracks = [other for other in self._tracks if other is not old]
                self._tracks[self._tracks.index(track)] = old
                matched[number] = old
                continue
            if track.identity is None:
                track.identity = self._identities
                self._identities += 1
            window = settings.reid_window_s * SECOND
            if len(track.gallery) < EARLY_EMBEDDINGS:
                window *= EARLY_EMBEDDINGS
            track.reid_done = t - track.first_seen > window

    def _note_examined(self, parts: Floats | None, t: int) -> None:
        """Note which tracks could have been detected: the others keep what is known of them."""
        for track in self._tracks:
            if track.last_seen == t or parts is None or _inside(track, parts):
                track.last_examined = t

    def _retire(self, t: int) -> None:
        """Drop unconfirmed tracks without a detection; move tracks unseen for too long to the lost ones.

        An unconfirmed track at a place that was not examined stays.
        """
        coast = self._settings.coast_s * SECOND
        kept = []
        for track in self._tracks:
            if track.identity is None:
                waits = track.last_examined < t <= track.last_seen + coast
                if track.last_seen == t or waits:
                    kept.append(track)
            elif max(t - track.last_seen, t - track.last_strong) > coast or self._exited(track, t):
                self._lost.append(track)
            else:
                kept.append(track)
        self._tracks = kept
        oldest = t - self._settings.lost_s * SECOND
        self._lost = [track for track in self._lost if track.last_seen >= oldest][-MAX_LOST_TRACKS:]

    def _exited(self, track: Track, t: int) -> bool:
        """Whether an unseen person has left the frame by the prediction."""
        return t - track.last_seen >= MIN_UNSEEN_US and near_exit(
            motion.boxes(track.mean[None])[0], self._floor.size, EXIT_HEIGHTS
        )

    def _report(self, matched: dict[int, Track], confidence: Floats) -> sv.Detections:
        found = sorted((track.identity, n) for n, track in matched.items() if track.identity is not None)
        if not found:
            result = person_detections(np.zeros((0, 5), np.float32), self._floor.size)
            result.tracker_id = np.zeros(0, np.int64)
            return result
        numbers = [number for _, number in found]
        boxes = motion.boxes(np.stack([matched[number].mean for number in numbers]))
        result = person_detections(np.column_stack([boxes, confidence[numbers]]), self._floor.size)
        result.tracker_id = np.array([stream_id(self._stream, identity) for identity, _ in found], np.int64)
        return result


def _inside(track: Track, parts: Floats) -> bool:
    """Whether the middle of a track's predicted box lies in one of the parts (N, 4) of the frame."""
    x1, y1, x2, y2 = motion.boxes(track.mean[None])[0]
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    inside = (parts[:, 0] <= x) & (x < parts[:, 2]) & (parts[:, 1] <= y) & (y < parts[:, 3])
    return bool(inside.any())


def _assign(log_odds: Floats) -> Sequence[tuple[int, int]]:
    """Pairs (row, column) with positive log odds whose sum is largest."""
    if not log_odds.size:
        return []
    gain = np.maximum(log_odds, 0.0)
    rows, columns = linear_sum_assignment(-gain)
    return [(r, c) for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if gain[r, c] > 0]
