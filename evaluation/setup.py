"""What the evaluations share: the models of a run, its settings, a facility and camera, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TypedDict

from models.devices import Device
from vision.gate.planner import GateSettings
from vision.networks import ModelBundle, Models, PerceptionSettings
from zones.errors import LazarettoError
from zones.facility import Camera, Facility, Identity, Place, load_facility

Progress = Callable[[int, int], None]
"""Called during long work with how much is done, and of how much (0 = not known)."""
ProgressBars = Callable[[str], AbstractContextManager[Progress]]
"""Begins a part of long work, given its name; the context is left when the part is done."""


@contextmanager
def no_progress(_: str) -> Iterator[Progress]:
    """Show no progress."""
    yield lambda *_: None


@dataclass(frozen=True)
class PerceptionRequest:
    """How the footage of an evaluation is analysed.

    Attributes:
        fps: analysed frames per second, at most.
        imgsz: px of the longer side for person detection.
        device: auto, cpu, cuda or cuda:N.
        models: the weights.
        source_fps: frame rate of the video where the file's own is wrong.
        gate: detect only where something moves and where people are, as an analysis does by default.
    """

    fps: float = PerceptionSettings.fps
    imgsz: int = PerceptionSettings.imgsz
    device: str = "auto"
    models: Models = field(default_factory=Models)
    source_fps: float | None = None
    gate: bool = True

    def load(self) -> ModelBundle:
        """Load the models, as an analysis does.

        Raises:
            ModelError: weights or the device are not available.
        """
        settings = PerceptionSettings(fps=self.fps, imgsz=self.imgsz, gate=GateSettings(self.gate))
        return ModelBundle.load(Device.choose(self.device), settings, self.models)


DEFAULT_PERCEPTION = PerceptionRequest()


class RunSettings(TypedDict):
    """Settings of an analysis, as reports state them."""

    fps: float
    imgsz: int
    head_imgsz: int
    face_imgsz: int
    mask_check_hz: float
    gate: bool
    device: str
    source_fps: float | None


def run_settings(bundle: ModelBundle, source_fps: float | None) -> RunSettings:
    """The settings that an analysis ran with, for its report."""
    settings = bundle.settings
    return {
        "fps": settings.fps,
        "imgsz": settings.imgsz,
        "head_imgsz": settings.head_imgsz,
        "face_imgsz": settings.face_imgsz,
        "mask_check_hz": settings.mask_check_hz,
        "gate": settings.gate.on,
        "device": str(bundle.device),
        "source_fps": source_fps,
    }


def facility_and_camera(facility: str | None, camera: str | None) -> tuple[Facility, Camera]:
    """A facility and one of its cameras; without an id, its only camera.

    Without a facility file: a facility with default thresholds and one camera without zones.

    Raises:
        LazarettoError: there is no such file or camera, or there are several cameras and no id is given.
    """
    if facility is None:
        if camera is not None:
            raise LazarettoError(f"expected --facility beside --camera {camera}, got none")
        plain = Camera(id="evaluated", places=(Place.OTHER_PUBLIC,))
        identity = Identity(code="EVALUATION", name="Evaluation", managing_body="-")
        return Facility(facility=identity, cameras=(plain,)), plain
    loaded = load_facility(facility)
    if camera is not None:
        return loaded, loaded.camera(camera)
    if len(loaded.cameras) > 1:
        known = ", ".join(item.id for item in loaded.cameras)
        raise LazarettoError(f"expected --camera, one of {known}, got none")
    return loaded, loaded.cameras[0]
