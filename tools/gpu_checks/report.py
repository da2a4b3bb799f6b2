"""What the check reports, and the time that it may take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


class CannotRunError(Exception):
    """Why the check cannot run."""


@dataclass
class Budget:
    """The time that the check may take."""

    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def used(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds left; negative once it is used up."""
        return self.seconds - self.used


@dataclass(frozen=True)
class Comparison:
    """One network in one form on the device, against the CPU in f32.

    Attributes:
        network, form, device: what was compared.
        images: inputs compared; objects: boxes, crops or embeddings among them.
        measures: largest and median differences, by name.
        disagreements: sentences, one for each tolerance that was not kept.
    """

    network: str
    form: str
    device: str
    images: int
    objects: int
    measures: dict[str, float | int | None]
    disagreements: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether every difference is within its tolerance."""
        return not self.disagreements


@dataclass(frozen=True)
class Speed:
    """Images per second of one network at one batch size.

    Attributes:
        images_per_s: of the call that the pipeline makes: images in, results out, with resizing and
            non-maximum suppression.
        network_images_per_s: of the network alone, its input brought to the device included; None where that
            is not measured apart.
        peak_memory_mb: GPU memory that torch held at most (10^6 bytes); None on a CPU.
    """

    network: str
    form: str
    device: str
    imgsz: int
    batch: int
    images_per_s: float
    network_images_per_s: float | None
    peak_memory_mb: float | None


@dataclass(frozen=True)
class Skipped:
    """Something that was not checked, and why."""

    what: str
    reason: str
