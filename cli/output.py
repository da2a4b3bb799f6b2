"""Print results: JSON and notes on standard output, warnings and progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from cli.logs import say
from vision.frames import SECOND


def print_json(value: object) -> None:
    """Print a result as JSON on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def print_line(text: str, style: str | None = None) -> None:
    """Print one line of prose on standard output, without highlighting or wrapping."""
    Console().print(text, style=style, highlight=False, soft_wrap=True)


def print_note(text: str) -> None:
    """Print a line of lesser weight on standard output."""
    print_line(text, "dim")


def print_error_note(text: str) -> None:
    """Print a line of lesser weight on standard error, where standard output holds JSON."""
    print(text, file=sys.stderr)


def warn(message: object) -> None:
    """Print a warning or an error on standard error."""
    say(message)


def _progress(*columns: ProgressColumn) -> Progress:
    """Progress bars on standard error, on a terminal only: elsewhere they would leave blank lines."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def count_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error; the result is called with done and total (0 = unknown)."""
    with _progress() as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


@contextmanager
def footage_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar with the time left on standard error.

    The result is called with the camera, the microseconds of footage done and those in all (0 = unknown).
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[footage]} of footage"),
        TimeRemainingColumn(),
    )
    with _progress(*columns) as bar:
        task = bar.add_task("starting", total=None, footage="")

        def update(camera: str, done: int, total: int) -> None:
            bar.update(
                task,
                description=camera,
                completed=done,
                total=total or None,
                footage=f"{done / SECOND:.0f} of {total / SECOND:.0f} s",
            )

        yield update
