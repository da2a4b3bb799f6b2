"""`lazaretto calibrate`: from image to ground, by marks, a rectangle or walking people, with the error."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from pydantic import ValidationError
from rich.console import Console

from models.devices import Device
from pipelines.calibration import marks as marks_file
from pipelines.calibration.report import FOCAL_UNSURE, Image, Report, as_json, draw, report, summary, table
from pipelines.facilities.writing import write_facility
from pipelines.home import Home
from zones.calibration import CalibrationError
from zones.calibration.spec import CalibrationSpec
from zones.editing import calibration_yaml, with_calibration
from zones.errors import LazarettoError
from zones.facility import load_facility
from zones.people import HEIGHT_SD_M, MEAN_HEIGHT_M

app = typer.Typer(
    help="Find a camera's calibration and the error of its distances.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Frame = Annotated[Path | None, typer.Option(help="A picture of the camera: gives the size, and is drawn on.")]
ImageSize = Annotated[str | None, typer.Option(help="Size of the picture in px: 1920x1080.")]
Facility = Annotated[Path | None, typer.Option(help="The facility file.")]
Camera = Annotated[str | None, typer.Option(help="The camera in it.")]
Write = Annotated[bool, typer.Option("--write", help="Put the result into the facility file.")]
Map = Annotated[Path | None, typer.Option("--map", help="Draw the errors into this .png.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@dataclass(frozen=True)
class _Output:
    facility: Path | None
    camera: str | None
    write: bool
    map: Path | None
    json: bool
    paste: bool = True

    def check(self) -> None:
        """Refuse what cannot be written before any work is done."""
        if self.write and (self.facility is None or self.camera is None):
            raise LazarettoError("--write: expected --facility and --camera too, got not both")
        if self.facility is not None and self.camera is not None:
            load_facility(self.facility).camera(self.camera)


@app.callback()
def _group() -> None:
    """Find a camera's calibration and the error of its distances."""


@app.command()
def points(
    pairs: Annotated[Path, typer.Option(help="Marks: CSV x,y,ground_x,ground_y[,use] in px and m, or YAML.")],
    check: Annotated[Path | None, typer.Option(help="Marks to check by, kept out of the fit.")] = None,
    frame: Frame = None,
    image_size: ImageSize = None,
    facility: Facility = None,
    camera: Camera = None,
    write: Write = False,
    map_file: Map = None,
    json_output: AsJson = False,
) -> None:
    """By marks on the floor (at least four; more, or check marks, tell the error)."""
    output = _Output(facility, camera, write, map_file, json_output)
    output.check()
    size, picture = _picture(frame, image_size)
    fit, checks = marks_file.read_marks(pairs, size)
    if check is not None:
        one, other = marks_file.read_marks(check, size)
        checks = (*checks, *one, *other)
    _finish(_spec(points=fit, check=checks), size, picture, output)


@app.command()
def rectangle(
    corners: Annotated[str, typer.Option(help='Four corners in order, px: "x,y x,y x,y x,y".')],
    width: Annotated[float, typer.Option(help="From the first to the second corner, m.")],
    length: Annotated[float, typer.Option(help="From the second to the third corner, m.")],
    check: Annotated[
        list[str] | None, typer.Option(help='A measured length to check by, px and m: "x,y x,y 2.5".')
    ] = None,
    frame: Frame = None,
    image_size: ImageSize = None,
    facility: Facility = None,
    camera: Camera = None,
    write: Write = False,
    map_file: Map = None,
    json_output: AsJson = False,
) -> None:
    """By a rectangle on the floor whose sides are known."""
    output = _Output(facility, camera, write, map_file, json_output)
    output.check()
    size, picture = _picture(frame, image_size)
    seen = marks_file.points_of(corners, 4, size, "--corners")
    lengths = [_length(text, size) for text in check or []]
    form = {"corners": seen, "width": width, "length": length, "check": lengths}
    _finish(_spec(rectangle=form), size, picture, output)


@app.command()
def walking(
    video: Annotated[
        Path | None, typer.Argument(help="A video of people walking; else the log is used.")
    ] = None,
    home: Annotated[
        str | None, typer.Option(help="Where the camera was analysed [LAZARETTO_HOME or ./lazaretto-home].")
    ] = None,
    camera: Camera = None,
    mean_height: Annotated[
        float, typer.Option(help="Mean height of the people, shoes included, m.")
    ] = MEAN_HEIGHT_M,
    height_sd: Annotated[float, typer.Option(help="Standard deviation of their heights, m.")] = HEIGHT_SD_M,
    field_of_view: Annotated[
        float | None, typer.Option(help="Horizontal, from the camera's data sheet, degrees.")
    ] = None,
    source_fps: Annotated[
        float | None, typer.Option(help="Frame rate of the video, where its own is wrong.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    frame: Frame = None,
    facility: Facility = None,
    write: Write = False,
    map_file: Map = None,
    json_output: AsJson = False,
) -> None:
    """By people who walk: their feet and heads tell the horizon, their mean height the scale."""
    from pipelines.calibration.people import from_log, from_video
    from zones.calibration.walking import Assumed, fit_walking

    output = _Output(facility, camera, write, map_file, json_output)
    output.check()
    if video is not None:
        from vision.perception import (  # torch is loaded here, not for `--help`
            ModelBundle,
            Models,
            PerceptionSettings,
        )

        bundle = ModelBundle.load(Device.choose(device), PerceptionSettings(), Models())
        people, size = from_video(video, bundle, source_fps)
    elif camera is None:
        raise LazarettoError("expected a video, or --camera to take people from its log, got neither")
    else:
        people, size = from_log(Home.choose(home).path, camera)
    picture = None if frame is None else _picture(frame, None)[1]
    if picture is not None and picture.shape[:2] != size[::-1]:
        picture = np.asarray(cv2.resize(picture, size), dtype=np.uint8)
    found = fit_walking(people, Assumed(mean_height, height_sd, field_of_view))
    warnings: tuple[str, ...] = ()
    if found.focal_se > FOCAL_UNSURE:
        warnings = (
            f"the focal length is known to {found.focal_se:.0%} only, and so is depth: give --field-of-view",
        )
    if field_of_view is None and found.focal_unusual > 2:
        warnings = (
            *warnings,
            f"the focal length found, {found.spec.focal:.2f} frame heights, is unusual for a surveillance "
            "camera: compare a measured distance, or give --field-of-view",
        )
    told = {
        "people": found.spec.people,
        "boxes_seen": found.seen,
        "boxes_whole": found.usable,
        "boxes_used": found.spec.boxes,
        "strides": found.strides,
        "height_residual": found.spec.residual,
        "height_residual_left_out": round(found.shape_residual, 4),
        "focal_se": round(found.focal_se, 4),
    }
    judged = report(CalibrationSpec(walking=found.spec), size, warnings)
    if not json_output:
        print(
            f"{found.spec.people} people, {found.seen} boxes, {found.usable} whole and upright, "
            f"{found.spec.boxes} used, {found.strides} strides. Heights agree to {found.spec.residual:.1%} "
            f"(root mean square); by place, of people left out of the fit, to {found.shape_residual:.1%}. "
            f"Assumed: mean height {mean_height:g} m, standard deviation {height_sd:g} m."
        )
    _tell(judged, picture, output, told)


@app.command()
def show(
    facility: Annotated[Path, typer.Option(help="The facility file.")],
    camera: Annotated[str, typer.Option(help="The camera in it.")],
    frame: Frame = None,
    image_size: ImageSize = None,
    map_file: Map = None,
    json_output: AsJson = False,
) -> None:
    """The calibration that a camera has."""
    spec = load_facility(facility).camera(camera).calibration
    if spec is None:
        raise LazarettoError(f"expected a calibration of camera {camera!r} in {facility}, got none")
    size, picture = _picture(frame, image_size)
    _finish(spec, size, picture, _Output(None, None, False, map_file, json_output, paste=False))


def _finish(spec: CalibrationSpec, size: tuple[int, int], picture: Image | None, output: _Output) -> None:
    _tell(report(spec, size), picture, output, {})


def _tell(judged: Report, picture: Image | None, output: _Output, more: dict[str, Any]) -> None:
    if output.map is not None:
        draw(judged, output.map, picture)
    if output.write and output.facility is not None and output.camera is not None:
        text = load_facility(output.facility).text
        write_facility(
            output.facility, with_calibration(text, output.camera, judged.spec, str(output.facility))
        )
    if output.json:
        print(as_json(judged, more))
    else:
        console = Console()
        console.print(table(judged))
        for line in summary(judged):
            console.print(line, highlight=False, soft_wrap=True)
        if output.write:
            console.print(f"Written to {output.facility}, camera {output.camera}", soft_wrap=True)
        elif output.paste:
            print(calibration_yaml(judged.spec), end="")
    for warning in judged.warnings:
        print(f"lazaretto: {warning}", file=sys.stderr)


def _picture(frame: Path | None, image_size: str | None) -> tuple[tuple[int, int], Image | None]:
    if frame is not None:
        if not frame.is_file():
            raise LazarettoError(f"--frame: expected a picture, got no file {frame}")
        picture = cv2.imread(str(frame))
        if picture is None:
            raise LazarettoError(f"--frame: expected a picture, got {frame}, which is none")
        return (picture.shape[1], picture.shape[0]), np.asarray(picture, dtype=np.uint8)
    try:
        width, height = map(int, (image_size or "").lower().split("x"))
    except ValueError:
        width = height = 0
    if width < 16 or height < 16:
        raise LazarettoError(
            f"expected --frame FILE or --image-size WxH (such as 1920x1080), got {image_size or 'neither'}"
        )
    return (width, height), None


def _length(text: str, size: tuple[int, int]) -> dict[str, Any]:
    ends, _, length = text.rpartition(" ")
    try:
        metres = float(length)
    except ValueError:
        raise LazarettoError(f'--check: expected "x,y x,y metres", got {text!r}') from None
    return {"image": marks_file.points_of(ends, 2, size, "--check"), "length": metres}


def _spec(**parts: Any) -> CalibrationSpec:
    try:
        return CalibrationSpec.model_validate(parts)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise CalibrationError(f"{where}: {first['msg']}" if where else first["msg"]) from None
