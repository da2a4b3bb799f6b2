"""The path of a picture on the device, stage by stage: decoding, colours, inputs, detection, many cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_checks.clips import Clip, Ffmpeg, Held, all_frames
from gpu_checks.networks import PERSON_CONFIDENCE, Networks
from gpu_checks.report import Comparison
from models.agreement import F32, TOLERANCES, Image, compare_poses
from models.call_timing import clear_memory, peak_memory_mb, seconds_per_call
from models.runtimes.network import letterbox
from models.runtimes.surfaces import bgr_of_nv12, grey_of_nv12
from vision.sources.nvdec import Nvdec, SurfaceDecoder, missing

if TYPE_CHECKING:
    from torch import Tensor

DECODERS = (1, 4, 8, 16, 32)
"""Decoders side by side, each in a thread."""
CAMERAS = (8, 32, 64, 128)
"""Cameras side by side, each with a decoder in a thread of its own."""
RUN_S = 4.0
"""Seconds for which each number of decoders or cameras is measured."""
MAX_LEVELS_APART = 2
"""Levels by which a picture on the device may differ from that of the CPU."""
HALF_PIXEL = replace(TOLERANCES["cuda", F32], box_px=0.5, box_share=0.0, score=0.01)
"""What people found in pictures on the device may differ from those found on the CPU, px of the picture."""
ANALYSED_PER_S = 5.0
GREY_SIZE = (192, 108)
"""Size at which the motion gate takes its grey picture, px."""

Open = Callable[[], SurfaceDecoder]


def decodes(device: str) -> bool:
    """Whether a device can decode here: a GPU by NVDEC, a CPU by PyAV."""
    return missing() is None if device != "cpu" else has_ffmpeg()


def has_ffmpeg() -> bool:
    """Whether PyAV is here."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


class DisagreesError(Exception):
    """The device gives something else than the CPU."""


def opener(clip: Clip, device: str) -> Open:
    """What opens a decoder of a clip: NVDEC, on the CPU one in software, and without either pictures that are
    held on the device."""
    if not decodes(device):
        return partial(Held, clip, device)
    if device == "cpu":
        return ffmpeg(clip, device)
    return partial(Nvdec, clip.codec, int(device.partition(":")[2] or 0))


def ffmpeg(clip: Clip, device: str) -> Open:
    """What opens a decoder of a clip by FFmpeg, as the pipeline does: on a GPU by NVDEC."""
    number = device.partition(":")[2] or "0"
    return partial(Ffmpeg, clip.codec, "cpu" if device == "cpu" else f"nvdec:{number}")


def check_decoding(clip: Clip, open_decoder: Open) -> dict[str, Any]:
    """Decode a clip: as many pictures as on the CPU, and equal ones.

    Raises:
        DisagreesError: pictures are missing, or differ.
    """
    surfaces = list(all_frames(open_decoder(), clip.packets))
    if len(surfaces) != clip.frames:
        raise DisagreesError(f"expected {clip.frames} pictures, as the CPU decodes, got {len(surfaces)}")
    apart = {}
    for number, expected in clip.pictures.items():
        found = bgr_of_nv12(surfaces[number].nv12, clip.colours).cpu().numpy()
        if found.shape != expected.shape:
            raise DisagreesError(f"expected pictures of {expected.shape}, got {found.shape}")
        apart[number] = int(np.abs(found.astype(np.int16) - expected).max())
    if max(apart.values()) > MAX_LEVELS_APART:
        raise DisagreesError(f"expected pictures within {MAX_LEVELS_APART} levels, got {apart} by number")
    return {"codec": clip.codec, "size": clip.size, "pictures": len(surfaces), "levels_apart": apart}


def check_pictures(clip: Clip, device: str, imgsz: int) -> dict[str, Any]:
    """Time colours, the gate's grey picture and the network's input of one picture, ms each.

    Raises:
        DisagreesError: the device gives other pictures than torch on the CPU.
    """
    surface = next(all_frames(opener(clip, device)(), clip.packets)).nv12
    kind = device.partition(":")[0]

    def steps(nv12: Tensor) -> dict[str, Callable[[], Any]]:
        picture = bgr_of_nv12(nv12, clip.colours)
        return {
            "colours": lambda: bgr_of_nv12(nv12, clip.colours),
            "grey for the gate": lambda: grey_of_nv12(nv12, clip.colours, GREY_SIZE),
            "input of the network": lambda: letterbox([picture], imgsz)[0],
            "to the host": lambda: picture.cpu(),
        }

    here, there = steps(surface), steps(surface.cpu())
    times = {}
    for name, call in here.items():
        apart = int((call().cpu().int() - there[name]().int()).abs().max())
        if apart > 1:
            raise DisagreesError(f"{name}: expected what the CPU gives within 1 level, got {apart} apart")
        times[name] = round(1000 * seconds_per_call(call, kind), 3)
    return {"size": clip.size, "imgsz": imgsz, "ms": times}


def check_people(
    name: str, pictures: Sequence[tuple[Image, Tensor]], networks: Networks, reference: Networks
) -> list[Comparison]:
    """Compare people found in pictures on the device with those that the CPU finds in the same pictures.

    And those found in one picture a call with those found in all pictures of a size in one call.

    Args:
        name: of the comparison.
        pictures: each as an array and as a tensor on the device.
        networks: on the device; reference: on the CPU.
    """
    found = []
    for size in sorted({image.shape[:2] for image, _ in pictures}):
        pairs = [pair for pair in pictures if pair[0].shape[:2] == size]
        images = [image for image, _ in pairs]
        mine = [one for image in images for one in reference.people([image])]
        theirs = [one for _, tensor in pairs for one in networks.people([tensor])]
        # What a camera yields must not depend on the cameras whose calls are in the same batch.
        together = networks.people([tensor for _, tensor in pairs])
        limit = HALF_PIXEL if networks.form == F32 else TOLERANCES[networks.target.kind, networks.form]
        scale = max(size) if networks.form == F32 else networks.imgsz["person"]
        unit = f"{size[1]} x {size[0]}, in px of the {'picture' if networks.form == F32 else 'input'}"
        for title, first, second in (
            (name, mine, theirs),
            (f"{name}: alone and in one batch", theirs, together),
        ):
            count, measures, faults = compare_poses(first, second, images, scale, PERSON_CONFIDENCE, limit)
            found.append(
                Comparison(
                    *(f"{title}, {unit}", networks.form, networks.device, len(images)),
                    *(count, measures, faults),
                )
            )
    return found


def check_decoded_people(clips: Sequence[Clip], networks: Networks, reference: Networks) -> list[Comparison]:
    """The same in pictures that the device decoded and that the CPU decoded."""
    pictures = []
    for clip in clips:
        for number, surface in enumerate(all_frames(opener(clip, networks.device)(), clip.packets)):
            if number in clip.pictures:
                pictures.append((clip.pictures[number], bgr_of_nv12(surface.nv12, clip.colours)))
    return check_people("person in pictures decoded on the device", pictures, networks, reference)


def decoding_speed(
    clip: Clip, open_decoder: Open, count: int, seconds: float | None = None
) -> dict[str, Any]:
    """Pictures per second of `count` decoders of a clip side by side."""

    def work(decoder: SurfaceDecoder, ended: Callable[[], bool]) -> int:
        return sum(len(surfaces) for surfaces in _endless(decoder, clip, ended))

    total, took = _side_by_side(open_decoder, work, count, RUN_S if seconds is None else seconds)
    return {"decoders": count, "size": clip.size, "pictures_per_s": round(total / took, 1)}


def camera_speed(
    clip: Clip, networks: Networks, count: int, imgsz: int, seconds: float | None = None
) -> dict[str, Any]:
    """How many cameras the device holds: decoding of every frame, detection in ANALYSED_PER_S of them.

    Every analysed frame has the gate's grey picture brought to the host and one full-frame detection; the
    calls of all cameras are combined into batches. Faces, clothes, tracking and rules are not in it.
    """
    step = max(1, round(clip.rate / ANALYSED_PER_S))

    def work(decoder: SurfaceDecoder, ended: Callable[[], bool]) -> int:
        decoded = 0
        for surfaces in _endless(decoder, clip, ended):
            for surface in surfaces:
                if decoded % step == 0:
                    grey_of_nv12(surface.nv12, clip.colours, GREY_SIZE).cpu()
                    networks.person([bgr_of_nv12(surface.nv12, clip.colours)], imgsz)
                decoded += 1
        return decoded

    clear_memory(networks.target.kind)
    open_decoder = opener(clip, networks.device)
    total, took = _side_by_side(open_decoder, work, count, RUN_S if seconds is None else seconds)
    return {
        "threads": count,
        "form": networks.form,
        "decoder": type(open_decoder()).__name__,
        "size": clip.size,
        "rate": clip.rate,
        "imgsz": imgsz,
        "decoded_per_s": round(total / took, 1),
        "analysed_per_s": round(total / step / took, 1),
        "cameras_in_real_time": round(total / took / clip.rate, 1),
        "peak_memory_mb": peak_memory_mb(networks.target.kind),
    }


def _endless(decoder: SurfaceDecoder, clip: Clip, ended: Callable[[], bool]) -> Any:
    """What a decoder gives for the packets of a clip, over and over, until the time is over."""
    number = 0
    while not ended():
        yield decoder.decode(clip.packets[number % len(clip.packets)], number)
        number += 1


def _side_by_side(
    open_decoder: Open, work: Callable[[SurfaceDecoder, Callable[[], bool]], int], count: int, seconds: float
) -> tuple[int, float]:
    """The sum of what `count` threads count in about so many seconds, and the seconds that it took.

    Raises:
        Exception: what the first thread that failed raised.
    """
    decoders = [open_decoder() for _ in range(count)]
    counts: list[int] = []
    errors: list[Exception] = []
    end = time.perf_counter() + seconds

    def run(decoder: SurfaceDecoder) -> None:
        try:
            counts.append(work(decoder, lambda: time.perf_counter() >= end or bool(errors)))
        except Exception as error:
            errors.append(error)

    began = time.perf_counter()
    threads = [threading.Thread(target=run, args=(decoder,)) for decoder in decoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(counts), time.perf_counter() - began
