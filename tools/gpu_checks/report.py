"""What the check reports, and the time that it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")


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


@dataclass(frozen=True)
class Failed:
    """A stage that ended with an error, and the error in one sentence."""

    stage: str
    reason: str


@dataclass
class Stages:
    """Runs stages one after the other; one that fails does not keep the others from running.

    Attributes:
        budget: of the whole check.
        failed: stages that ended with an error.
        skipped: stages that were not run.
        results: what stages gave, by name.
    """

    budget: Budget
    failed: list[Failed] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)

    def run(self, stage: str, seconds: float | None, work: Callable[[], Result]) -> Result | None:
        """Run a stage that takes about so many seconds, if there is time: what it gives, None if nothing.

        With None for the seconds it runs in any case, and keeps to the budget by itself.

        Raises:
            CannotRunError: the stage says that the whole check cannot run.
        """
        if seconds is not None and seconds > self.budget.left:
            self.skipped.append(Skipped(stage, "the time budget was used up"))
            return None
        began = time.monotonic()
        try:
            result = work()
        except CannotRunError:
            raise
        except Exception as error:  # a driver, a library or a kernel may fail in any way; the rest goes on
            lines = str(error).strip().split("\n")
            self.failed.append(Failed(stage, f"{type(error).__name__}: {lines[0][:300]}"))
            return None
        self.results.setdefault("seconds", {})[stage] = round(time.monotonic() - began, 1)
        return result

    def keep(self, kind: str, stage: str, seconds: float, work: Callable[[], dict[str, Any]]) -> None:
        """Run a stage, and add what it gives to the results of a kind."""
        found = self.run(stage, seconds, work)
        if found is not None:
            self.results.setdefault(kind, []).append({"stage": stage, **found})
