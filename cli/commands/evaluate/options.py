"""Options, progress and output that the evaluations share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from evaluation.report import EXACT, Report

OutputOption = Annotated[
    Path | None, typer.Option("--output", help="Write the result as JSON to this file, too.")
]
SeedOption = Annotated[int, typer.Option(help="Random seed of the bootstrap.", min=0)]
ResamplesOption = Annotated[
    int, typer.Option(help="Bootstrap resamples for the intervals.", min=20, max=100_000)
]
SourceFpsOption = Annotated[
    float | None, typer.Option(help="Frame rate of the video, where the file's own is wrong.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
FpsOption = Annotated[float, typer.Option(help="Frames analysed per second, at most.", min=0.5, max=30)]
ImgszOption = Annotated[int, typer.Option(help="Longer side for person detection, px.", min=160, max=1920)]
PersonOption = Annotated[str, typer.Option(help="Person weights.")]
FaceOption = Annotated[str, typer.Option(help="Face weights.")]
MaskOption = Annotated[str, typer.Option(help="Mask weights.")]


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error if it is a terminal; it takes how much is done, of how much."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield progress


def table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are numbers; in a narrow one, cells are wrapped."""
    made = Table(title=title, title_justify="left", padding=(0, 0, 0, 1), pad_edge=False)
    for number, column in enumerate(columns):
        # A number that is cut off at its end would be read as another one.
        made.add_column(column, justify="right" if number else "left", overflow="fold")
    return made


def print_report(report: Report, tables: Sequence[Table], as_json: bool, output: Path | None) -> None:
    """Print a report, as tables or as JSON, and write the JSON to a file if one is given.

    Raises:
        LazarettoError: the file cannot be written.
    """
    if output is not None:
        report.write(output)
    if as_json:
        print(report.to_json())
        return
    console = Console()
    for item in tables:
        console.print(item)
    console.print(
        f"95 % intervals: {report.resamples} bootstrap resamples of {report.units} units ({report.unit}), "
        f"seed {report.seed}. * {EXACT}.",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )
    for note in report.notes:
        console.print(note, style="dim", highlight=False, soft_wrap=True)
