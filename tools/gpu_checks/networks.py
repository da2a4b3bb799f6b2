"""The networks on one device, called as the pipeline calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from gpu_checks.report import CannotRunError
from models.agreement import Image

if TYPE_CHECKING:
    from models.devices import Poses
    from models.runtimes.network import Network, Picture

Item = TypeVar("Item")
Result = TypeVar("Result")

SAME_BATCH = 16
"""Images per call of the comparisons, on both devices: images of one batch share the size of the input."""
PERSON_CONFIDENCE, FACE_CONFIDENCE = 0.1, 0.05
"""Scores from which the pipeline takes detections of people and faces."""


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in groups of `size`."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


class Networks:
    """The four networks in one form on one device, each called as the pipeline calls it."""

    def __init__(self, device: str, form: str) -> None:
        """Load them; sizes are those at which the pipeline runs them, from the cards of the weights.

        Raises:
            CannotRunError: the device is not there, or a network cannot be loaded.
        """
        from models import figures, registry
        from models.appearance.inference import Embedder
        from models.devices import Classifier, Detector, Device, PoseDetector
        from models.errors import ModelError

        self.device, self.form = device, form
        self._alone: dict[str, Network] = {}
        try:
            self.target = Device.choose(device, form)
            weights = {name: registry.resolve(name) for name in ("person", "face", "mask", "appearance")}
            self._weights = weights
            self.imgsz = {name: figures.card(item).imgsz for name, item in weights.items()}
            self.person = Detector(
                weights["person"], self.target, self.imgsz["person"], PERSON_CONFIDENCE, None
            )
            self.face = PoseDetector(weights["face"], self.target, self.imgsz["face"], FACE_CONFIDENCE)
            self.mask = Classifier(weights["mask"], self.target, self.imgsz["mask"])
            self.appearance = Embedder(weights["appearance"], self.target)
        except ModelError as error:
            raise CannotRunError(str(error)) from error

    def alone(self, name: str) -> Network:
        """One network without resizing and without what follows its output."""
        from models.exports.selection import select

        if name not in self._alone:
            runtime = select(self._weights[name], str(self.target), self.imgsz[name], self.form)
            self._alone[name] = runtime.load()
        return self._alone[name]

    def people(self, images: Sequence[Picture]) -> list[Poses]:
        """Boxes of people, in the form of poses without landmarks."""
        from models.devices import Poses

        none = np.zeros((0, 0, 0), np.float32)
        return [Poses(rows[:, :5], none) for rows in self.person(images)]

    def embed(self, crops: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Embeddings of crops."""
        return self.appearance(np.stack(crops))


def run_in_batches(
    call: Callable[[Sequence[Image]], Sequence[Result] | npt.NDArray[Any]],
    images: Sequence[Image],
    until: Callable[[], bool],
) -> list[Any]:
    """Call a network on the images in batches; stops early when `until` says so, after one batch at least."""
    found: list[Any] = []
    for part in batches(images, SAME_BATCH):
        if found and until():
            break
        found += list(call(part))
    return found
