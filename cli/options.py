"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from vision.frames import from_iso
from zones.errors import LazarettoError

HomeOption = Annotated[
    str | None, typer.Option("--home", help="The home folder [LAZARETTO_HOME or ./lazaretto-home].")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="From this time on, such as 2026-11-24T08:00:00+07:00.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Before this time.")]
CamerasOption = Annotated[
    list[str] | None, typer.Option("--camera", help="Id of a camera; repeatable [all cameras].")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]

SourcesArgument = Annotated[
    list[str], typer.Argument(help="Video files, folders or image sequences; each may be CAMERA=PATH.")
]
SourceCameraOption = Annotated[
    str | None, typer.Option("--camera", help="The camera of all sources [from their names].")
]
SourceFpsOption = Annotated[
    float | None, typer.Option("--source-fps", help="Frame rate of the sources [as the file says].")
]
RuntimeOption = Annotated[
    str,
    typer.Option(
        "--runtime", help="auto (the fastest verified), or openvino-f32, openvino-int8, torch-f32 ..."
    ),
]
RolesOption = Annotated[
    str,
    typer.Option(
        "--roles", help="Role model: auto (the home's own), none, ppe (general, less accurate), or a file."
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
FpsOption = Annotated[
    float, typer.Option("--fps", help="Most frames to analyse per second.", min=0.5, max=30)
]
ImgszOption = Annotated[
    int, typer.Option("--imgsz", help="Longer side of the image for person detection, px.", min=160, max=1920)
]


class OnOff(StrEnum):
    """Whether something is done."""

    ON = "on"
    OFF = "off"


GateOption = Annotated[
    OnOff,
    typer.Option(
        "--gate",
        help="on: detect only where something moves, where people are, and in the whole picture from time to "
        "time; off: in the whole of every analysed frame.",
    ),
]
PixelsOption = Annotated[
    float,
    typer.Option(
        "--pixels-per-second",
        help="Megapixels of the detector's input per camera and second, at most; every analysed frame as a "
        "whole at --imgsz is always allowed.",
        min=0.1,
        max=100.0,
    ),
]
PersonOption = Annotated[
    str,
    typer.Option(
        "--person", help="Person weights: a name from `models list`, a .pt file or an ultralytics name."
    ),
]
FaceOption = Annotated[
    str, typer.Option("--face", help="Face weights: a name from `models list` or a .pt file.")
]
MaskOption = Annotated[
    str, typer.Option("--mask", help="Mask weights: a name from `models list` or a .pt file.")
]
AppearanceOption = Annotated[
    str, typer.Option("--appearance", help="Appearance weights: a name from `models list` or a .pt file.")
]


def read_time(option: str, text: str | None) -> int | None:
    """Read the time given to an option.

    Args:
        option: the name of the option, for the message.
        text: ISO 8601 with an offset, or None when the option was not given.

    Returns:
        Microseconds UTC, or None.

    Raises:
        LazarettoError: the text is not a time with an offset.
    """
    try:
        return None if text is None else from_iso(text)
    except ValueError as error:
        raise LazarettoError(f"{option}: {error}") from None


def read_window(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Read --since and --until: [since, until), microseconds UTC; None = no bound.

    Raises:
        LazarettoError: one of them is not a time with an offset, or there is no time between them.
    """
    low, high = read_time("--since", since), read_time("--until", until)
    if low is not None and high is not None and low >= high:
        raise LazarettoError(f"expected --since before --until, got {since} and {until}")
    return low, high
