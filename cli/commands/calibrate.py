"""`lazaretto calibrate`: from image to ground, by marks, a rectangle or walking people, with the error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.console import Console

from cli.calibration_table import error_table
from cli.options import HomeOption, JsonOption
from cli.output import print_json, print_line, warn
from models.devices import Device
from pipelines.calibration.calibrate import (
    calibrate_by_marks,
    calibrate_by_rectangle,
    calibrate_by_walking,
    store_calibration,
    stored_calibration,
)
from pipelines.calibration.error_map import Image, draw_error_map, read_frame, write_image
from pipelines.calibration.marks import parse_points
from pipelines.calibration.report import Report, Size, report, summary
from pipelines.home import Home
from zones.calibration.spec import MeasuredLength
from zones.editing import calibration_yaml
from zones.errors import LazarettoError
from zones.facility import Camera, load_facility
from zones.people import HEIGHT_SD_M, MEAN_HEIGHT_M

app = typer.Typer(
    help="Find a camera's calibration and the error of its distances.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FrameOption = Annotated[
    Path | None, typer.Option(help="An image of the camera: it gives the size, and the error map shows it.")
]
SizeOption = Annotated[str | None, typer.Option(help="Size of the image in px, such as 1920x1080.")]
FacilityOption = Annotated[Path | None, typer.Option(help="The facility file.")]
CameraOption = Annotated[str | None, typer.Option(help="Id of the camera in the facility file.")]
WriteOption = Annotated[bool, typer.Option("--write", help="Write the result to the facility file.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="With --write: replace a better calibration, too.")
]
MapOption = Annotated[Path | None, typer.Option("--map", help="Draw the errors to this .png file.")]


@dataclass(frozen=True)
class _Output:
    """Where the result goes."""

    facility: Path | None
    camera: str | None
    write: bool
    map: Path | None
    json: bool
    force: bool = False
    paste: bool = True

    def check(self) -> Camera | None:
        """Check the options before any work is done; returns the camera of the facility file, if named."""
        if self.force and not self.write:
            raise LazarettoError("--force: expected --write too, got it alone")
        if self.write and (self.facility is None or self.camera is None):
            raise LazarettoError("--write: expected --facility and --camera too, got not both")
        if self.facility is None or self.camera is None:
            return None
        return load_facility(self.facility).camera(self.camera)


@app.callback()
def _group() -> None:
    """Find a camera's calibration and the error of its distances."""


@app.command()
def points(
    pairs: Annotated[
        Path, typer.Option(help="File of marks: CSV x,y,ground_x,ground_y[,use] in px and m, or YAML.")
    ],
    check: Annotated[
        Path | None, typer.Option(help="File of further marks, which only check the calibration.")
    ] = None,
    frame: FrameOption = None,
    image_size: SizeOption = None,
    facility: FacilityOption = None,
    camera: CameraOption = None,
    write: WriteOption = False,
    force: ForceOption = False,
    map_file: MapOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calibrate by marks on the floor: at least four; more marks, or check marks, give the error."""
    output = _Output(facility, camera, write, map_file, as_json, force)
    output.check()
    size, image = _size_and_image(frame, image_size)
    _finish(calibrate_by_marks(pairs, size, check), image, output)


@app.command()
def rectangle(
    corners: Annotated[str, typer.Option(help='Four corners in order, px: "x,y x,y x,y x,y".')],
    width: Annotated[float, typer.Option(help="Length from the first to the second corner, m.")],
    length: Annotated[float, typer.Option(help="Length from the second to the third corner, m.")],
    check: Annotated[
        list[str] | None,
        typer.Option(help='A measured length that checks the calibration, px and m: "x,y x,y 2.5".'),
    ] = None,
    frame: FrameOption = None,
    image_size: SizeOption = None,
    facility: FacilityOption = None,
    camera: CameraOption = None,
    write: WriteOption = False,
    force: ForceOption = False,
    map_file: MapOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calibrate by a rectangle on the floor with known sides."""
    output = _Output(facility, camera, write, map_file, as_json, force)
    output.check()
    size, image = _size_and_image(frame, image_size)
    lengths = [_measured_length(text, size) for text in check or []]
    corner_points = parse_points(corners, 4, size, "--corners")
    _finish(calibrate_by_rectangle(corner_points, width, length, size, lengths), image, output)


@app.command()
def walking(
    video: Annotated[
        Path | None, typer.Argument(help="A video of people who walk [the log of the camera].")
    ] = None,
    home: HomeOption = None,
    camera: CameraOption = None,
    mean_height: Annotated[
        float, typer.Option(help="Mean height of the people, shoes included, m.")
    ] = MEAN_HEIGHT_M,
    height_sd: Annotated[float, typer.Option(help="Standard deviation of their heights, m.")] = HEIGHT_SD_M,
    field_of_view: Annotated[
        float | None, typer.Option(help="Horizontal field of view from the data sheet, degrees.")
    ] = None,
    source_fps: Annotated[
        float | None, typer.Option(help="Frame rate of the video, where the file states a wrong one.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    frame: FrameOption = None,
    facility: FacilityOption = None,
    write: WriteOption = False,
    force: ForceOption = False,
    map_file: MapOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calibrate by people who walk: their boxes give the horizon, their mean height the scale."""
    from pipelines.calibration.people import from_log, from_video
    from zones.calibration.walking import Assumptions

    output = _Output(facility, camera, write, map_file, as_json, force)
    known = output.check()
    if video is not None:
        from vision.networks import (  # imports torch, which takes seconds that `--help` need not wait for
            ModelBundle,
            Models,
            PerceptionSettings,
        )

        bundle = ModelBundle.load(Device.choose(device), PerceptionSettings(), Models())
        people, size = from_video(video, bundle, source_fps, camera=known)
    elif camera is None:
        raise LazarettoError("expected a video, or --camera to use its log, got neither")
    else:
        people, size = from_log(Home.choose(home).path, camera)
    image = None if frame is None else read_frame(frame)
    if image is not None and image.shape[:2] != size[::-1]:
        image = np.asarray(cv2.resize(image, size), dtype=np.uint8)
    result = calibrate_by_walking(people, size, Assumptions(mean_height, height_sd, field_of_view))
    fit = result.fit
    if not as_json:
        print_line(
            f"{fit.spec.people} people, {fit.seen} boxes, {fit.usable} whole and upright, "
            f"{fit.spec.boxes} used, {fit.strides} strides. Heights agree to {fit.spec.residual:.1%} "
            f"(root mean square); by location, of people left out of the fit, to {fit.shape_residual:.1%}. "
            f"Assumed: mean height {mean_height:g} m, standard deviation {height_sd:g} m."
        )
    _finish(result.report, image, output, result.to_dict())


@app.command()
def show(
    facility: Annotated[Path, typer.Option(help="The facility file.")],
    camera: Annotated[str, typer.Option(help="Id of the camera in the facility file.")],
    frame: FrameOption = None,
    image_size: SizeOption = None,
    map_file: MapOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the calibration of a camera in the facility file, and its errors."""
    spec = stored_calibration(facility, camera)
    size, image = _size_and_image(frame, image_size)
    _finish(report(spec, size), image, _Output(None, None, False, map_file, as_json, paste=False))


def _finish(result: Report, image: Image | None, output: _Output, data: dict[str, Any] | None = None) -> None:
    """Write and print a result; `data` is what `--json` prints, where it is more than the report."""
    if output.map is not None:
        write_image(output.map, draw_error_map(result, image))
    if output.json:
        print_json(data or result.to_dict())
    else:
        Console().print(error_table(result))
        for line in summary(result):
            print_line(line)
        if output.paste and not output.write:
            print(calibration_yaml(result.spec), end="")
    for warning in result.warnings:
        warn(warning)
    if output.write and output.facility is not None and output.camera is not None:
        store_calibration(output.facility, output.camera, result, output.force)
        if not output.json:
            print_line(f"Written to {output.facility}, camera {output.camera}")


def _size_and_image(frame: Path | None, image_size: str | None) -> tuple[Size, Image | None]:
    if frame is not None:
        image = read_frame(frame)
        return (image.shape[1], image.shape[0]), image
    try:
        width, height = map(int, (image_size or "").lower().split("x"))
    except ValueError:
        width = height = 0
    if width < 16 or height < 16:
        raise LazarettoError(
            f"expected --frame FILE or --image-size WxH (such as 1920x1080), got {image_size or 'neither'}"
        )
    return (width, height), None


def _measured_length(text: str, size: Size) -> MeasuredLength:
    ends, _, length = text.rpartition(" ")
    try:
        metres = float(length)
    except ValueError:
        metres = 0.0
    if not 0 < metres <= 1000:
        raise LazarettoError(f'--check: expected "x,y x,y metres", got {text!r}')
    first, second = parse_points(ends, 2, size, "--check")
    if first == second:
        raise LazarettoError(f"--check: expected two distinct ends, got {text!r}")
    return MeasuredLength(image=(first, second), length=metres)
