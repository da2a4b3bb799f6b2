"""Compare each network on a device with the CPU in f32, then time it by batch size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gpu_checks.environment import not_covered
from gpu_checks.networks import FACE_CONFIDENCE, PERSON_CONFIDENCE, Networks, run_in_batches
from gpu_checks.report import Budget, CannotRunError, Comparison, Skipped, Speed
from models import call_timing
from models.agreement import (
    F16,
    F32,
    TOLERANCES,
    Floats,
    Image,
    Tolerances,
    compare_embeddings,
    compare_poses,
    compare_probabilities,
)
from models.call_timing import TIMED_CALLS, clear_memory, peak_memory_mb, seconds_per_call

if TYPE_CHECKING:
    from models.devices import Poses
    from models.runtimes.network import Inputs

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
COMPARISON_SHARE = 0.5
"""Share of the time budget after which no further inputs are compared, so that speed is measured too."""


class Check:
    """The whole check: comparisons first, then speed, within one budget."""

    def __init__(self, frames: Sequence[Image], device: str, budget: Budget) -> None:
        """Prepare the check of a device (`cpu`, `cuda` or `cuda:N`) on frames (each H x W x 3 BGR)."""
        self.frames, self.device, self.budget = list(frames), device, budget
        self.kind = device.partition(":")[0]
        self.comparisons: list[Comparison] = []
        self.speeds: list[Speed] = []
        self.skipped: list[Skipped] = not_covered(self.kind)
        self.networks: dict[str, Networks] = {}
        self._inputs: dict[str, Sequence[Image]] = {}

    def load(self) -> None:
        """Load the networks, on the CPU and on the device in each form.

        Raises:
            CannotRunError: a network cannot be loaded.
        """
        forms = [F32] if self.kind == "cpu" else [F16, F32]
        self.reference = Networks("cpu", F32)
        self.networks = {form: Networks(self.device, form) for form in forms}

    def compare(self) -> None:
        """Compare the networks with the CPU.

        Raises:
            CannotRunError: nothing was found to compare.
        """
        from models.appearance.cropping import cut
        from models.faces.crops import head_region, square

        reference, devices = self.reference, self.networks
        if self.kind == "cuda":
            import torch

            torch.cuda.set_device(torch.device(self.device))
        people = self._poses("person", self.frames, reference, devices)
        heads, bodies = [], []
        for image, found in zip(self.frames, people, strict=False):
            for box in found.boxes[:, :4].astype(np.float64):
                x1, y1, x2, y2 = head_region(box, image.shape[1], image.shape[0])
                heads.append(np.ascontiguousarray(image[y1:y2, x1:x2]))
                bodies.append(cut(image, box))
        if not bodies:
            raise CannotRunError(
                "expected frames in which the CPU finds people, got none: take other footage"
            )
        heads = [head for head in heads if min(head.shape[:2]) >= 8]
        faces = self._poses("face", heads, reference, devices)
        squares = [
            square(head, box[:4].astype(np.float64), reference.imgsz["mask"])
            for head, found in zip(heads, faces, strict=False)
            for box in found.boxes
        ]
        if squares:
            self._vectors("mask", squares, reference, devices, compare_probabilities)
        else:
            self.skipped.append(Skipped("mask: comparison", "the CPU finds no face in these frames"))
        self._vectors("appearance", bodies, reference, devices, compare_embeddings)
        self._inputs = {"person": self.frames, "face": heads, "mask": squares, "appearance": bodies}

    def measure(self) -> None:
        """Time the networks by batch size, on what was compared."""
        for form, networks in self.networks.items():
            for name, images in self._inputs.items():
                self._speed(name, form, networks, images)

    def _out_of_comparison_time(self) -> bool:
        return self.budget.used > COMPARISON_SHARE * self.budget.seconds

    def _limit(self, form: str) -> Tolerances:
        return TOLERANCES[self.kind, form]

    def _note_left_out(self, network: str, form: str, compared: int, images: int) -> None:
        if compared < images:
            self.skipped.append(
                Skipped(
                    f"{network} in {form}: {images - compared} of {images} inputs",
                    "the time for comparisons was used up",
                )
            )

    def _poses(
        self, name: str, images: Sequence[Image], reference: Networks, devices: dict[str, Networks]
    ) -> list[Poses]:
        """Compare the detections of one network; returns those of the CPU."""

        def call(networks: Networks) -> Callable[[Sequence[Image]], list[Poses]]:
            return networks.people if name == "person" else networks.face

        confidence = PERSON_CONFIDENCE if name == "person" else FACE_CONFIDENCE
        mine: list[Poses] = run_in_batches(call(reference), images, self._out_of_comparison_time)
        self._note_left_out(name, f"{F32} on the CPU", len(mine), len(images))
        for form, networks in devices.items():
            theirs: list[Poses] = run_in_batches(
                call(networks), images[: len(mine)], self._out_of_comparison_time
            )
            self._note_left_out(name, form, len(theirs), len(mine))
            count = len(theirs)
            objects, measures, faults = compare_poses(
                *(mine[:count], theirs, images[:count], reference.imgsz[name], confidence, self._limit(form))
            )
            self.comparisons.append(Comparison(name, form, self.device, count, objects, measures, faults))
            if not objects:
                self.skipped.append(Skipped(f"{name} in {form}: comparison", "the CPU finds nothing"))
        return mine

    def _vectors(
        self,
        name: str,
        crops: Sequence[Image],
        reference: Networks,
        devices: dict[str, Networks],
        compare: Callable[
            [Floats, Floats, Tolerances], tuple[dict[str, float | int | None], tuple[str, ...]]
        ],
    ) -> None:
        """Compare what a network says of crops, a vector each."""

        def call(networks: Networks) -> Callable[[Sequence[Image]], npt.NDArray[np.float32]]:
            return networks.mask if name == "mask" else networks.embed

        mine = run_in_batches(call(reference), crops, self._out_of_comparison_time)
        self._note_left_out(name, f"{F32} on the CPU", len(mine), len(crops))
        for form, networks in devices.items():
            theirs = run_in_batches(call(networks), crops[: len(mine)], self._out_of_comparison_time)
            self._note_left_out(name, form, len(theirs), len(mine))
            rows = [np.asarray(part[: len(theirs)], np.float64) for part in (mine, theirs)]
            measures, faults = compare(rows[0], rows[1], self._limit(form))
            self.comparisons.append(
                Comparison(name, form, self.device, len(theirs), len(theirs), measures, faults)
            )

    def _speed(self, name: str, form: str, networks: Networks, images: Sequence[Image]) -> None:
        """Time one network at growing batch sizes, as long as the budget and the memory last."""
        if not images:
            self.skipped.append(Skipped(f"{name} in {form}: speed", "there is no input for it"))
            return
        calls: dict[str, Callable[[Sequence[Image]], object]] = {
            "person": networks.people,
            "face": networks.face,
            "mask": networks.mask,
            "appearance": networks.embed,
        }
        imgsz = networks.imgsz[name]
        last = 0.0
        for number, batch in enumerate(BATCH_SIZES):
            # A batch of twice the size takes about twice as long; it is called 1 + TIMED_CALLS times, twice.
            needed = max(2 * call_timing.TIMED_S, 4 * last * (1 + TIMED_CALLS))
            if needed > self.budget.left:
                sizes = ", ".join(map(str, BATCH_SIZES[number:]))
                self.skipped.append(
                    Skipped(f"{name} in {form}: speed at batch {sizes}", "the time budget was used up")
                )
                return
            part = [images[n % len(images)] for n in range(batch)]
            try:
                clear_memory(self.kind)
                last = seconds_per_call(partial(calls[name], part), self.kind)
                alone = self._alone(name, networks, part)
            except RuntimeError as error:  # torch.OutOfMemoryError is one
                reason = str(error).split("\n")[0][:200]
                self.skipped.append(Skipped(f"{name} in {form}: speed from batch {batch} on", reason))
                return
            self.speeds.append(
                Speed(
                    *(name, form, self.device, imgsz, batch, round(batch / last, 1)),
                    None if alone is None else round(batch / alone, 1),
                    peak_memory_mb(self.kind),
                )
            )

    def _alone(self, name: str, networks: Networks, images: Sequence[Image]) -> float | None:
        """Seconds of the network alone on a prepared batch; None for embeddings, which are timed whole."""
        from models.runtimes.network import letterbox, resize

        if name == "appearance":
            return None
        inputs: Inputs
        if name == "mask":
            inputs = np.stack([resize(image, networks.imgsz[name]) for image in images])
        else:
            inputs, _ = letterbox(images, networks.imgsz[name])
        alone = networks.alone(name)
        return seconds_per_call(lambda: alone.run(inputs), self.kind)
