#!/usr/bin/env python3
"""Check the path of pictures on a GPU against the CPU, and measure its speed stage by stage.

    tools/gpu_check.py frames data/yard.mp4 data/built/lobby.mp4 --output DIR   (where PyAV is installed)
    tools/gpu_check.py run DIR [--device cuda] [--seconds 480] [--output FILE]  (on the machine with the GPU)

`frames` writes frames as pictures, and the first packets of each video as a clip.

`run` compares person boxes, faces with their landmarks, mask probabilities and appearance embeddings on the
device with those of the CPU in f32, on the same inputs in the same batches. Then it decodes the clips by
NVDEC and compares the pictures; compares people found in pictures that never left the device; counts pictures
per second by number of decoders, and cameras that are decoded and analysed in real time; and measures images
per second by batch size, CUDA graphs, torch.compile and, where it is installed, TensorRT. A stage that fails
is reported in one sentence, and the others go on. It prints JSON: the comparisons with their tolerances, the
speeds, what failed, and what could not be checked, with the reasons.

Exit codes: 0 the device agrees with the CPU; 1 it does not, or a stage failed; 2 the check could not run.

`run` needs Python 3.11 or 3.12 and these packages: torch (2.11 or later), torchvision, ultralytics,
opencv-python or opencv-python-headless, numpy, and what ultralytics imports (PyYAML, pillow, tqdm); for
decoding PyNvVideoCodec, too. It works offline and uses none of the project's other dependencies, such as
OpenVINO, PyAV, polars, pydantic and scipy. `frames` needs PyAV and the rest of the project.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS.parent), str(TOOLS)]  # the project and the parts, wherever this is started

from gpu_checks import acceleration, path  # noqa: E402
from gpu_checks.check import Check  # noqa: E402
from gpu_checks.clips import Clip, read_clips, write_clip  # noqa: E402
from gpu_checks.environment import environment  # noqa: E402
from gpu_checks.frames import read_frames, write_frames  # noqa: E402
from gpu_checks.networks import Networks  # noqa: E402
from gpu_checks.report import Budget, CannotRunError, Comparison, Skipped, Stages  # noqa: E402

from models.agreement import TOLERANCES  # noqa: E402
from vision.sources.nvdec import missing  # noqa: E402

AGREES, DISAGREES, CANNOT_RUN = 0, 1, 2
STATUS = {AGREES: "agrees", DISAGREES: "disagrees", CANNOT_RUN: "cannot run"}
FRAMES_OF_PATH = 8
"""Frames that are also given to the networks as pictures on the device."""


def run(folder: Path, device: str, seconds: float) -> tuple[int, dict[str, Any]]:
    """Run the check on the frames of a folder: the exit code and the report."""
    budget = Budget(seconds)
    stages = Stages(budget)
    report: dict[str, Any] = {"device": device, "budget_s": seconds}
    try:
        frames, clips = read_frames(folder), read_clips(folder)
        report["frames"] = {"count": len(frames), "sizes": sorted({image.shape[1::-1] for image in frames})}
        report["environment"] = environment(device)
        check = Check(frames, device, budget)
        check.load()
        stages.run("networks compared with the CPU", None, check.compare)
    except (CannotRunError, ImportError, RuntimeError) as error:  # CUDA raises RuntimeError
        report |= {"status": STATUS[CANNOT_RUN], "reason": str(error).split("\n")[0]}
        return CANNOT_RUN, report
    if clips:
        whole_path(check, clips, stages)
    else:
        stages.skipped.append(Skipped("decoding and cameras", f"there are no clips in {folder / 'clips'}"))
    if check.kind == "cuda":
        accelerated(device, stages)
    stages.run("speed of the networks", None, check.measure)
    if check.kind == "cuda":
        last_steps(device, stages)
    code = AGREES if all(item.agrees for item in check.comparisons) and not stages.failed else DISAGREES
    report |= {
        "status": STATUS[code],
        "tolerances": {
            form: asdict(TOLERANCES[check.kind, form])
            for form in dict.fromkeys(item.form for item in check.comparisons)
        },
        "comparisons": [{**asdict(item), "agrees": item.agrees} for item in check.comparisons],
        "speed": [asdict(item) for item in check.speeds],
        "path": stages.results,
        "failed": [asdict(item) for item in stages.failed],
        "not_checked": [asdict(item) for item in [*check.skipped, *stages.skipped]],
        "seconds": round(budget.used, 1),
    }
    return code, report


def whole_path(check: Check, clips: Sequence[Clip], stages: Stages) -> None:
    """Decoding, pictures on the device, detection in them, and many cameras side by side."""
    import torch

    device, short = check.device, path.RUN_S + 1
    reason = missing() if check.kind == "cuda" else "the check ran with --device cpu"
    decodes = path.decodes(device)
    if reason is not None:
        stages.skipped.append(Skipped("decoding on the GPU", reason))
    largest = max(clips, key=lambda clip: (clip.size[0] * clip.size[1], clip.rate))
    imgsz = check.reference.imgsz["person"]
    for clip in clips if decodes else ():
        stages.keep(
            "decoding",
            f"decoding {clip.name}",
            5,
            partial(path.check_decoding, clip, path.opener(clip, device)),
        )
    stages.keep("pictures", "pictures on the device", 10, lambda: path.check_pictures(largest, device, imgsz))
    for form, networks in check.networks.items():

        def compare(networks: Networks = networks) -> list[Comparison]:
            drawn = [(image, torch.from_numpy(image).to(device)) for image in check.frames[:FRAMES_OF_PATH]]
            whole = path.check_people("person in pictures on the device", drawn, networks, check.reference)
            decoded = clips if decodes else ()
            return whole + path.check_decoded_people(decoded, networks, check.reference)

        check.comparisons += stages.run(f"people in {form} in pictures on the device", 10, compare) or []
    for count in path.DECODERS if decodes else ():
        stages.keep(
            "decoding_speed",
            f"{count} decoders",
            short,
            partial(path.decoding_speed, largest, path.opener(largest, device), count),
        )
    by_ffmpeg(clips, largest, device, stages)
    for form, networks in check.networks.items():
        for count in path.CAMERAS:
            stages.keep(
                "cameras",
                f"{count} cameras in {form}",
                2 * short,
                partial(path.camera_speed, largest, networks, count, imgsz),
            )


def by_ffmpeg(clips: Sequence[Clip], largest: Clip, device: str, stages: Stages) -> None:
    """Decoding as `--decoder nvdec` does it: by FFmpeg, pictures copied to the memory of the CPU."""
    if not path.has_ffmpeg():
        stages.skipped.append(Skipped("decoding by FFmpeg", "it needs the package av (pip install av)"))
        return
    for clip in clips:
        work = partial(path.check_decoding, clip, path.ffmpeg(clip, device))
        stages.keep("ffmpeg", f"decoding {clip.name} by FFmpeg", 5, work)
    for count in path.DECODERS if device != "cpu" else ():
        speed = partial(path.decoding_speed, largest, path.ffmpeg(largest, device), count)
        stages.keep("ffmpeg_speed", f"{count} decoders by FFmpeg", path.RUN_S + 1, speed)


def accelerated(device: str, stages: Stages) -> None:
    """CUDA graphs, at the sizes of full frames and of regions."""
    for imgsz in (320, 640):
        stages.keep(
            "graphs",
            f"CUDA graph at {imgsz} px",
            5,
            partial(acceleration.plain_and_graph, device, imgsz),
        )


def last_steps(device: str, stages: Stages) -> None:
    """What takes minutes, if there is time left."""
    stages.keep("compiled", "torch.compile", 90, lambda: acceleration.compiled(device, 640))
    if (reason := acceleration.tensorrt_missing()) is not None:
        stages.skipped.append(Skipped("a TensorRT engine", reason))
        return
    stages.keep("tensorrt", "a TensorRT engine", 200, lambda: acceleration.engine(device, 640))


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
    frames = commands.add_parser("frames", help="write frames of videos as PNG files, and clips")
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
            clips = [write_clip(video, given.output) for video in given.videos]
        except CannotRunError as error:
            print(f"gpu_check: {error}", file=sys.stderr)
            return CANNOT_RUN
        print(f"{len(written)} frames and {len([clip for clip in clips if clip])} clips in {given.output}")
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
