"""What the evaluations ask alike, and how each answers: progress, tables, JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from evaluation.report import EXACT, Report
from models.devices import Device
from zones.errors import LazarettoError
from zones.facility import Camera, Facility, Identity, Place, load_facility

if TYPE_CHECKING:
    from vision.perception import ModelBundle

JsonFlag = Annotated[
    str | None, typer.Option("--json", help="Also write JSON to this file; - prints it instead.")
]
SeedFlag = Annotated[int, typer.Option(help="Of the draws behind the intervals.", min=0)]
ResamplesFlag = Annotated[int, typer.Option(help="Draws behind the intervals.", min=20, max=100_000)]
SourceFps = Annotated[float | None, typer.Option(help="Frame rate, where the file's own is wrong.")]
DeviceFlag = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Fps = Annotated[float, typer.Option(help="Frames analysed per second, at most.", min=0.5, max=30)]
ImgSz = Annotated[int, typer.Option(help="Longer side for person detection, px.", min=160, max=1920)]
Person = Annotated[str, typer.Option(help="Person weights.")]
Face = Annotated[str, typer.Option(help="Face weights.")]
Mask = Annotated[str, typer.Option(help="Mask weights.")]


def open_eyes(fps: float, imgsz: int, device: str, models: tuple[str, str, str]) -> ModelBundle:
    """The models of a run (person, face, mask), as `lazaretto analyze` loads them.

    Raises:
        ModelError: weights or device are not to be had.
    """
    from vision.perception import (  # torch is loaded here, not for `--help`
        ModelBundle,
        Models,
        PerceptionSettings,
    )

    settings = PerceptionSettings(fps=fps, imgsz=imgsz)
    return ModelBundle.load(Device.choose(device), settings, Models(*models))


def looked(bundle: ModelBundle, source_fps: float | None) -> dict[str, Any]:
    """How closely a run looked, for its report."""
    settings = bundle.settings
    return {
        "fps": settings.fps,
        "imgsz": settings.imgsz,
        "head_imgsz": settings.head_imgsz,
        "face_imgsz": settings.face_imgsz,
        "mask_check_hz": settings.mask_check_hz,
        "device": str(bundle.device),
        "source_fps": source_fps,
    }


def site(facility: str | None, camera: str | None) -> tuple[Facility, Camera]:
    """A facility and one of its cameras, the only one where none is named.

    Without a facility file, one with default thresholds and a camera without zones.

    Raises:
        LazarettoError: no such file or camera, or several cameras and none named.
    """
    if facility is None:
        if camera is not None:
            raise LazarettoError(f"expected --facility beside --camera {camera}, got none")
        plain = Camera(id="evaluated", places=(Place.OTHER_PUBLIC,))
        who = Identity(code="EVALUATION", name="Evaluation", managing_body="-")
        return Facility(facility=who, cameras=(plain,)), plain
    loaded = load_facility(facility)
    if camera is not None:
        return loaded, loaded.camera(camera)
    if len(loaded.cameras) > 1:
        known = ", ".join(item.id for item in loaded.cameras)
        raise LazarettoError(f"expected --camera, one of {known}, got none")
    return loaded, loaded.cameras[0]


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where a person is watching; called with how much is done, and of how much."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield progress


def table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are figures."""
    made = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number else "left", no_wrap=True)
    return made


def emit(report: Report, tables: Sequence[Table], to: str | None) -> None:
    """Print the tables, or with `-` the JSON; write the JSON to any other file.

    Raises:
        LazarettoError: the file cannot be written.
    """
    if to == "-":
        print(report.to_json())
        return
    if to is not None:
        report.write(Path(to))
    console = Console()
    for item in tables:
        console.print(item)
    console.print(
        f"95 % intervals: {report.resamples} draws of {report.units} units (one {report.unit}), "
        f"seed {report.seed}. * {EXACT}.",
        style="dim",
        highlight=False,
    )
    for note in report.notes:
        console.print(note, style="dim", highlight=False)
