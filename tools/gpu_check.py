#!/usr/bin/env python3
"""Check the networks on a GPU against the CPU, and measure their speed by batch size.

    tools/gpu_check.py frames data/yard.mp4 data/built/lobby.mp4 --output DIR   (where PyAV is installed)
    tools/gpu_check.py run DIR [--device cuda] [--seconds 480] [--output FILE]  (on the machine with the GPU)

`run` compares person boxes, faces with their landmarks, mask probabilities and appearance embeddings on the
device with those of the CPU in f32, on the same inputs in the same batches. It prints JSON: the comparisons
with their tolerances, images per second by batch size, and what could not be checked, with the reasons.

Exit codes: 0 the device agrees with the CPU; 1 it does not; 2 the check could not run.

`run` needs Python 3.11 or 3.12 and these packages: torch (2.11 or later), torchvision, ultralytics,
opencv-python or opencv-python-headless, numpy, and what ultralytics imports (PyYAML, pillow, tqdm). It works
offline and uses none of the project's other dependencies, such as OpenVINO, PyAV, polars, pydantic and scipy.
`frames` needs PyAV and the rest of the project.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402

from models.agreement import (  # noqa: E402
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
from models.call_timing import (  # noqa: E402
    TIMED_CALLS,
    TIMED_S,
    clear_memory,
    peak_memory_mb,
    seconds_per_call,
)

if TYPE_CHECKING:
    from models.devices import Poses
    from models.runtimes.network import Network

Item = TypeVar("Item")
Result = TypeVar("Result")

AGREES, DISAGREES, CANNOT_RUN = 0, 1, 2
STATUS = {AGREES: "agrees", DISAGREES: "disagrees", CANNOT_RUN: "cannot run"}

SAME_BATCH = 16
"""Images per call of the comparisons, on both devices: images of one batch share the size of the input."""
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
COMPARISON_SHARE = 0.5
"""Share of the time budget after which no further inputs are compared, so that speed is measured too."""
PERSON_CONFIDENCE, FACE_CONFIDENCE = 0.1, 0.05
"""Scores from which the pipeline takes detections of people and faces."""


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

    def people(self, images: Sequence[Image]) -> list[Poses]:
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


class Check:
    """The whole check: comparisons first, then speed, within one budget."""

    def __init__(self, frames: Sequence[Image], device: str, budget: Budget) -> None:
        """Prepare the check of a device (`cpu`, `cuda` or `cuda:N`) on frames (each H x W x 3 BGR)."""
        self.frames, self.device, self.budget = list(frames), device, budget
        self.kind = device.partition(":")[0]
        self.comparisons: list[Comparison] = []
        self.speeds: list[Speed] = []
        self.skipped: list[Skipped] = []

    def run(self) -> None:
        """Compare and measure.

        Raises:
            CannotRunError: a network cannot be loaded, or nothing was found to compare.
        """
        from models.appearance.cropping import cut
        from models.faces.crops import head_region, square

        forms = [F32] if self.kind == "cpu" else [F16, F32]
        reference = Networks("cpu", F32)
        devices = {form: Networks(self.device, form) for form in forms}
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
        inputs = {"person": self.frames, "face": heads, "mask": squares, "appearance": bodies}
        for form, networks in devices.items():
            for name, images in inputs.items():
                self._speed(name, form, networks, images)
        self.skipped += not_covered(self.kind)

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
            needed = max(2 * TIMED_S, 4 * last * (1 + TIMED_CALLS))
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
        if name == "mask":
            inputs = np.stack([resize(image, networks.imgsz[name]) for image in images])
        else:
            inputs, _ = letterbox(images, networks.imgsz[name])
        alone = networks.alone(name)
        return seconds_per_call(lambda: alone.run(inputs), self.kind)


def not_covered(kind: str) -> list[Skipped]:
    """What this check never covers."""
    skipped = [
        Skipped("TensorRT engines", "this check runs the networks in torch only"),
        Skipped("decoding on the GPU (NVDEC)", "the frames are read from image files"),
        Skipped("resizing on the GPU", "the project resizes on the CPU"),
        Skipped("role models", "they are trained per facility; their network is the appearance network"),
        Skipped("tracking and rules", "they run on the CPU and need packages that are not required here"),
    ]
    if kind == "cpu":
        skipped.insert(0, Skipped("everything on a GPU", "the check ran with --device cpu"))
    return skipped


def environment(device: str) -> dict[str, Any]:
    """What the check ran on: versions, processor and GPU."""
    import torch

    versions = {}
    for package in (
        "torch",
        "torchvision",
        "ultralytics",
        "opencv-python",
        "opencv-python-headless",
        "numpy",
    ):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": versions,
        "threads": torch.get_num_threads(),
        "gpu": None,
    }
    if torch.device(device).type == "cuda" and (torch.device(device).index or 0) < torch.cuda.device_count():
        properties = torch.cuda.get_device_properties(torch.device(device))
        found["gpu"] = {
            "name": properties.name,
            "memory_mb": round(properties.total_memory / 1e6),
            "compute_capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        }
    return found


def read_frames(folder: Path) -> list[Image]:
    """The frames of a folder, in order of their names: PNG files, or .npy arrays (H x W x 3, uint8, BGR).

    Raises:
        CannotRunError: there are none, or one cannot be read.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".png", ".npy"))
    if not files:
        raise CannotRunError(
            f"expected frames (.png or .npy) in {folder}, got none: `gpu_check.py frames VIDEO --output DIR` "
            "writes them"
        )
    frames = []
    for path in files:
        try:
            array = path.suffix.lower() == ".npy"
            image = np.load(path) if array else cv2.imread(str(path), cv2.IMREAD_COLOR)
        except (OSError, ValueError, EOFError):
            image = None
        if image is None or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise CannotRunError(f"{path}: expected an image of H x W x 3 bytes, got something else")
        frames.append(np.ascontiguousarray(image))
    return frames


def write_frames(videos: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Write `count` evenly spaced frames of each video as PNG files; needs PyAV.

    Raises:
        CannotRunError: a video cannot be read.
    """
    from vision.frames import Frame
    from vision.sources.files import open_source
    from zones.errors import LazarettoError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotRunError(f"expected a folder that can be written, got {folder}: {error}") from error
    written: list[Path] = []
    for video in videos:
        try:
            source = open_source(video, video.stem, 0)
            step = max(1, (source.info.duration_us or 0) // count)
            found = [item for item in source.frames(None, step) if isinstance(item, Frame)][:count]
        except LazarettoError as error:
            raise CannotRunError(str(error)) from error
        for frame in found:
            path = folder / f"{video.stem}-{frame.index:06d}.png"
            if not cv2.imwrite(str(path), frame.image):
                raise CannotRunError(f"expected a file that can be written, got {path}")
            written.append(path)
    return written


def run(folder: Path, device: str, seconds: float) -> tuple[int, dict[str, Any]]:
    """Run the check on the frames of a folder: the exit code and the report."""
    budget = Budget(seconds)
    report: dict[str, Any] = {"device": device, "budget_s": seconds}
    try:
        frames = read_frames(folder)
        report["frames"] = {"count": len(frames), "sizes": sorted({image.shape[1::-1] for image in frames})}
        report["environment"] = environment(device)
        check = Check(frames, device, budget)
        check.run()
    except (CannotRunError, ImportError, RuntimeError) as error:  # CUDA raises RuntimeError
        report |= {"status": STATUS[CANNOT_RUN], "reason": str(error).split("\n")[0]}
        return CANNOT_RUN, report
    code = AGREES if all(item.agrees for item in check.comparisons) else DISAGREES
    report |= {
        "status": STATUS[code],
        "tolerances": {
            form: asdict(TOLERANCES[check.kind, form])
            for form in dict.fromkeys(item.form for item in check.comparisons)
        },
        "comparisons": [{**asdict(item), "agrees": item.agrees} for item in check.comparisons],
        "speed": [asdict(item) for item in check.speeds],
        "not_checked": [asdict(item) for item in check.skipped],
        "seconds": round(budget.used, 1),
    }
    return code, report


def device_name(text: str) -> str:
    """The value of --device.

    Raises:
        argparse.ArgumentTypeError: it is none of cpu, cuda, cuda:N.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"expected cpu, cuda or cuda:N, got {text!r}")
    return text


def count_of_frames(text: str) -> int:
    """The value of --count.

    Raises:
        argparse.ArgumentTypeError: it is no number of frames.
    """
    if not re.fullmatch(r"[1-9]\d{0,5}", text):
        raise argparse.ArgumentTypeError(f"expected a number of frames from 1 to 999999, got {text!r}")
    return int(text)


def time_budget(text: str) -> float:
    """The value of --seconds.

    Raises:
        argparse.ArgumentTypeError: it is no positive time.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a time above 0 s, got {text!r}")
    return seconds


def check_output(path: Path) -> None:
    """See that the report can be written, before the check takes its time.

    Raises:
        CannotRunError: it cannot.
    """
    try:
        path.open("a").close()
    except OSError as error:
        raise CannotRunError(f"expected a file that can be written, got {path}: {error.strerror}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    frames = commands.add_parser("frames", help="write frames of videos as PNG files")
    frames.add_argument("videos", nargs="+", type=Path)
    frames.add_argument("--output", required=True, type=Path, help="folder for the frames")
    frames.add_argument("--count", type=count_of_frames, default=16, help="frames per video [16]")
    check = commands.add_parser("run", help="compare a device with the CPU and measure its speed")
    check.add_argument("frames", type=Path, help="folder with the frames")
    check.add_argument(
        "--device",
        default="cuda",
        type=device_name,
        help="cuda, cuda:N, or cpu to try the check itself [cuda]",
    )
    check.add_argument("--seconds", type=time_budget, default=480, help="time that the check may take [480]")
    check.add_argument("--output", type=Path, help="file for the JSON [standard output]")
    given = parser.parse_args(arguments)
    if given.command == "frames":
        try:
            written = write_frames(given.videos, given.output, given.count)
        except CannotRunError as error:
            print(f"gpu_check: {error}", file=sys.stderr)
            return CANNOT_RUN
        print(f"{len(written)} frames in {given.output}")
        return AGREES
    try:
        if given.output is not None:
            check_output(given.output)
    except CannotRunError as error:
        print(f"gpu_check: {error}", file=sys.stderr)
        return CANNOT_RUN
    code, report = run(given.frames, given.device, given.seconds)
    text = json.dumps(report, indent=1)
    if given.output is None:
        print(text)
    else:
        given.output.write_text(text + "\n", encoding="utf-8")
    if code == CANNOT_RUN:
        print(f"gpu_check: {report['reason']}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
