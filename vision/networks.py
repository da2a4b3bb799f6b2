"""The networks of a run and their settings, loaded once and shared by its cameras."""

from __future__ import annotations

import copy
import hashlib
import json
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt

from models.devices import Device
from models.registry import Weights, resolve
from vision.appearance import AppearanceReader
from vision.detection import PersonDetector
from vision.frames import Frame
from vision.gate.planner import DetectionPlan, GateSettings
from vision.masks import MaskReader
from vision.parallel import core_count, started_pool
from vision.roles.model import read_model
from vision.roles.reading import RoleReader
from vision.tracking import TrackerSettings
from zones.thresholds import MASK_CHECK_HZ


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
        gate: how much of the footage reaches the person detector; see `GateSettings`.
    """

    fps: float = 5.0
    imgsz: int = 416
    head_imgsz: int = 128
    face_imgsz: int = 96
    mask_check_hz: float = MASK_CHECK_HZ
    role_check_hz: float = 0.5
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    gate: GateSettings = field(default_factory=GateSettings)

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
        self._threads = started_pool(max(1, core_count()), "detection")

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

    def start_detection(
        self, image: np.ndarray | None, plan: DetectionPlan
    ) -> Future[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Detect people in a picture (H x W x 3 BGR) as planned, in a thread of the bundle.

        Returns:
            The future result of `PersonDetector.planned`; nothing found, at once, where the plan is empty.
        """
        if image is None or plan.empty:
            done: Future[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = Future()
            done.set_result((np.zeros((0, 5), np.float32), np.zeros((0, 5), np.float32)))
            return done
        return self._threads.submit(self._detect, image, plan)

    def _detect(
        self, image: np.ndarray, plan: DetectionPlan
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        return self.detector.planned(self.device.picture(image), plan)

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
