"""From frames to observations: detection, tracking, mask state, role, foot point and ground position."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl
import supervision as sv

from models.devices import Device
from models.registry import Weights, resolve
from vision import observations
from vision.appearance import AppearanceReader
from vision.check_times import CheckTimes
from vision.detection import PersonDetector
from vision.frames import SECOND, Frame
from vision.ground import locate
from vision.liveness import Liveness
from vision.masks import MaskReader, MaskReading
from vision.roles.model import ROLE_COLUMNS, read_model
from vision.roles.reading import RoleReader, clothes_visible
from vision.state import State, StateError, as_part, part_of
from vision.tracking import TrackerSettings, choose_tracker, scores, tracker_ids
from zones.facility import Camera
from zones.thresholds import MASK_CHECK_HZ

MASK_NOT_CHECKED = "not_sampled"
"""Reason in the observation log where the face was not checked in this frame, because it was not due."""


@dataclass(frozen=True)
class PerceptionSettings:
    """How often and at which sizes the pipeline analyses frames, faces and clothes.

    Attributes:
        fps: analysed frames per second, at most.
        imgsz: px of the longer side for person detection.
        head_imgsz: px of the longer side of a head region, in which the face is looked for.
        face_imgsz: px of the square around a face for the mask classifier.
        mask_check_hz: checks of the face of each person per second, at most.
        role_check_hz: readings of the clothes of each person per second, at most.
        tracker: see `TrackerSettings`.
    """

    fps: float = 5.0
    imgsz: int = 416
    head_imgsz: int = 192
    face_imgsz: int = 96
    mask_check_hz: float = MASK_CHECK_HZ
    role_check_hz: float = 0.5
    tracker: TrackerSettings = field(default_factory=TrackerSettings)

    def fingerprint(self, *weights: Weights) -> str:
        """Key of what, beside the pixels, decides the observations; 16 hexadecimal digits.

        It covers the settings, and of all weights the digest and the form (format and precision) in which
        they run.
        """
        text = json.dumps([asdict(self), [[w.sha256, w.runtime] for w in weights]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Models:
    """Weights of a run, each by our name, by the path of a file, or by an ultralytics name.

    `roles` is the file of a role model, or None: then roles come from zones and cameras alone.
    """

    person: str = "person"
    face: str = "face"
    mask: str = "mask"
    appearance: str = "appearance"
    roles: Weights | None = None


class ModelBundle:
    """All networks of a run, loaded once and shared by its cameras."""

    def __init__(
        self,
        person: Weights,
        face: Weights,
        mask: Weights,
        appearance: Weights,
        device: Device,
        settings: PerceptionSettings,
    ) -> None:
        """Load the networks.

        Raises:
            ModelError: weights cannot be loaded or have other classes.
        """
        self.settings = settings
        self.device = device
        self.detector = PersonDetector(person, device, settings.imgsz)
        self.masks = MaskReader(face, mask, device, settings.head_imgsz, settings.face_imgsz)
        self.appearance = AppearanceReader(appearance, device)
        self.roles: RoleReader | None = None

    @classmethod
    def load(cls, device: Device, settings: PerceptionSettings, models: Models | None = None) -> ModelBundle:
        """Find the named weights, ours by default, and load them.

        Raises:
            ModelError: weights are missing, differ from their recorded hash, or are of another kind.
            RoleError: the role model cannot be read, or was trained on other features.
        """
        models = models or Models()
        bundle = cls(
            resolve(models.person),
            resolve(models.face),
            resolve(models.mask),
            resolve(models.appearance),
            device,
            settings,
        )
        if models.roles is not None:
            bundle.roles = RoleReader(read_model(models.roles.path), models.roles, bundle.appearance)
        return bundle

    @property
    def weights(self) -> dict[str, Weights]:
        """The weights in use, by purpose; all of them decide the observations."""
        face, mask = self.masks.weights
        return {
            "person": self.detector.weights,
            "face": face,
            "mask": mask,
            "appearance": self.appearance.weights,
            **({"roles": self.roles.weights} if self.roles is not None else {}),
        }

    def with_tracker(self, name: str) -> ModelBundle:
        """The same networks with another tracker.

        Raises:
            LazarettoError: there is no such tracker.
        """
        bundle = copy.copy(self)
        bundle.settings = replace(self.settings, tracker=replace(self.settings.tracker, name=name))
        return bundle

    def faces(self, image: np.ndarray) -> np.ndarray:
        """All faces that the pipeline would find in an image (H x W x 3 BGR); see `MaskReader.faces`."""
        [people] = self.detector([Frame(image, 0, 0, "")])
        return self.masks.faces(image, people.xyxy)

    def warm_up(self) -> None:
        """Run each network once, so that compilation is over before footage arrives."""
        blank = np.zeros((96, 128, 3), np.uint8)
        box = np.array([0.0, 0.0, 96.0, 96.0])
        self.detector([Frame(blank, 0, 0, "")])
        self.masks.read([(blank, box)])
        self.appearance.read([(blank, box)])
        if self.roles is not None:
            self.roles.read([(blank, box)])


class _EmbeddingSource:
    """Gives the tracker embeddings of detections in the current frame.

    They are rounded to half precision (fp16), in which a checkpoint holds them without loss.
    """

    def __init__(self, reader: AppearanceReader) -> None:
        self._reader = reader
        self._frame: Frame | None = None
        self._boxes: npt.NDArray[np.number] = np.zeros((0, 4), np.float32)

    def begin(self, frame: Frame, detections: sv.Detections) -> None:
        """Compute the embeddings of detections in this frame from now on."""
        self._frame, self._boxes = frame, detections.xyxy

    def __call__(self, numbers: Sequence[int]) -> np.ndarray:
        assert self._frame is not None, "a frame was begun"
        people = [(self._frame.image, self._boxes[number]) for number in numbers]
        return self._reader.read(people).astype(np.float16).astype(np.float32)


class Perception:
    """One stream of one camera, from its first frame on; frames must come in order of time."""

    def __init__(self, bundle: ModelBundle, camera: Camera, stream: str) -> None:
        """Begin a stream of a camera; `stream` names it, for track ids that repeated runs reproduce."""
        self._bundle = bundle
        self._camera = camera
        self._embeddings = _EmbeddingSource(bundle.appearance)
        self.begin_again(stream)

    def begin_again(self, stream: str) -> None:
        """Forget all that was seen, and go on with new tracks, whose ids are those of `stream`."""
        settings = self._bundle.settings
        self._tracker = choose_tracker(
            stream, settings.tracker, settings.fps, self._camera.calibration, self._embeddings
        )
        self._mask_checks = CheckTimes(settings.mask_check_hz)
        self._role_checks = CheckTimes(settings.role_check_hz)
        self._liveness = Liveness()

    def detect(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """Find people in frames of one size; see `PersonDetector`."""
        found: list[sv.Detections] = []
        batch = self._bundle.detector.batch
        for first in range(0, len(frames), batch):
            found += self._bundle.detector(frames[first : first + batch])
        return found

    def track(self, frame: Frame, detections: sv.Detections) -> sv.Detections:
        """Track the people of the next frame.

        Args:
            frame: after those before.
            detections: what `detect` found in it.

        Returns:
            The detections of confirmed tracks, with `tracker_id`.
        """
        self._embeddings.begin(frame, detections)
        return self._tracker.update(detections, timestamp=frame.t / SECOND)

    def observe(self, frames: Sequence[Frame], detections: Sequence[sv.Detections]) -> list[Row]:
        """Track people over frames, given what `detect` found in them; check faces and clothes where due.

        Args:
            frames: in order of time.
            detections: what `detect` found in each.

        Returns:
            Rows for `tabulate`. A table for each frame would take longer than tracking.
        """
        rows: list[Row] = []
        for frame, found in zip(frames, detections, strict=True):
            tracked = self.track(frame, found)
            boxes, tracks = tracked.xyxy, tracker_ids(tracked).tolist()
            roles = self._check_roles(frame, boxes, tracks)
            rows += _rows(frame, tracked, self._check_masks(frame, boxes, tracks), roles)
        return rows

    def tabulate(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Rows of `observe` as the observation log returns them, with ground positions."""
        table = pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row").cast({"t": observations.SCHEMA["t"]})
        empty = [
            pl.lit(None, kind).alias(n) for n, kind in observations.SCHEMA.items() if n not in _ROW_SCHEMA
        ]
        logged = observations.rounded(table.with_columns(empty).select(list(observations.SCHEMA)))
        return locate(logged, self._camera).select(list(observations.SCHEMA))

    def state(self) -> State:
        """All that decides what the next frames give: tracks, times of checks, and the faces last checked.

        It holds embeddings of the people in view and of those who can still be re-identified, and small
        grey pictures of the faces checked in the last seconds. Its size does not grow with time.
        """
        return {
            **as_part("tracker", self._tracker.state()),
            **as_part("mask_checks", self._mask_checks.state()),
            **as_part("role_checks", self._role_checks.state()),
            **as_part("liveness", self._liveness.state()),
        }

    def restore(self, state: State) -> None:
        """Take over a state, in place of what was seen: the frames that followed it give the same rows again.

        Raises:
            StateError: the state cannot be restored.
        """
        try:
            self._tracker.restore(part_of(state, "tracker"))
            self._mask_checks.restore(part_of(state, "mask_checks"))
            self._role_checks.restore(part_of(state, "role_checks"))
            self._liveness.restore(part_of(state, "liveness"))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise StateError(f"expected a state of this version, got another ({error!r})") from error

    def _check_roles(self, frame: Frame, boxes: np.ndarray, tracks: Sequence[int]) -> list[RoleShares]:
        """Role probabilities of the people whose clothes are visible and due; None for the others."""
        shares: list[RoleShares] = [(None,) * len(ROLE_COLUMNS)] * len(tracks)
        if self._bundle.roles is None or not tracks:
            return shares
        visible = np.flatnonzero(clothes_visible(boxes)).tolist()
        due = self._role_checks.due(visible, tracks, frame.t)
        read = self._bundle.roles.read([(frame.image, boxes[n]) for n in due])
        for n, row in zip(due, read.tolist(), strict=True):
            shares[n] = tuple(None if np.isnan(share) else share for share in row)
            self._role_checks.checked(tracks[n], frame.t)
        return shares

    def _check_masks(self, frame: Frame, boxes: np.ndarray, tracks: Sequence[int]) -> list[MaskReading]:
        """Mask readings of the people whose faces are due; MASK_NOT_CHECKED for the others."""
        due = self._mask_checks.due(range(len(tracks)), tracks, frame.t)
        readings = [MaskReading(None, MASK_NOT_CHECKED, None)] * len(tracks)
        read = self._bundle.masks.read([(frame.image, boxes[n]) for n in due])
        for n, reading in zip(due, read, strict=True):
            change = self._liveness.change(tracks[n], frame.t, frame.image, reading.face)
            readings[n] = replace(reading, change=change)
            self._mask_checks.checked(tracks[n], frame.t)
        self._liveness.drop_before(frame.t)
        return readings


Row = tuple[object, ...]
"""One person in one frame: the values of `_ROW_SCHEMA`, in its order."""

RoleShares = tuple[float | None, ...]
"""Probabilities of the roles of ROLE_COLUMNS; None = not known."""

_LATER = ("ground_x", "ground_y", "ground_se")
_ROW_SCHEMA = {n: kind for n, kind in observations.SCHEMA.items() if n not in _LATER} | {"t": pl.Int64()}


def _rows(
    frame: Frame,
    tracked: sv.Detections,
    readings: Sequence[MaskReading],
    roles: Sequence[RoleShares],
) -> Iterator[Row]:
    height, width = frame.image.shape[:2]
    people = zip(
        tracked.xyxy.tolist(),
        scores(tracked).tolist(),
        tracker_ids(tracked).tolist(),
        readings,
        roles,
        strict=True,
    )
    for (x1, y1, x2, y2), score, track, reading, shares in people:
        seen = (frame.camera, frame.t, frame.index, track, width, height, x1, y1, x2, y2, score)
        masks = reading.probabilities or (None, None, None)
        change = reading.change
        yield (*seen, (x1 + x2) / 2, y2, reading.face_height, change, *masks, reading.reason, *shares)
