"""Starts of recordings as a user gives them: one for all, one for each source, or by the name of a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.assignment import Footage
from pipelines.given_times import read_given_time
from zones.errors import LazarettoError


@dataclass(frozen=True, slots=True)
class GivenStart:
    """A start that the user gave.

    Attributes:
        t: microseconds UTC.
        source: the source that it is for, as the user named it; None = by its position.
    """

    t: int
    source: str | None = None


def read_start(text: str, timezone: str) -> GivenStart:
    """Read `TIME` or `SOURCE=TIME`.

    The time is read by `pipelines.given_times.read_given_time`.

    Raises:
        LazarettoError: the text holds no such time.
    """
    source, _, time = text.rpartition("=")
    return GivenStart(read_given_time("--start", time, timezone), source or None)


def apply_starts(
    footage: Sequence[Footage], starts: Sequence[GivenStart], arguments: Sequence[str]
) -> list[Footage]:
    """The footage with the starts that were given for it.

    A start without a source holds for the source of every camera, if it is the only one; several of them are
    for the arguments in their order. A source is named by its argument, its path, its file name or its
    camera.

    Raises:
        LazarettoError: a start is for several sources of a camera, or for none.
    """
    given: dict[int, int] = {}
    by_place = [start for start in starts if start.source is None]
    if len(by_place) > 1 and len(by_place) != len(arguments):
        raise LazarettoError(
            f"--start: expected one time, or one for each of the {len(arguments)} sources, "
            f"got {len(by_place)}"
        )
    for number, start in enumerate(by_place):
        argument = arguments[number] if len(by_place) > 1 else None
        chosen = [n for n, item in enumerate(footage) if argument in (None, item.argument)]
        _give(given, footage, chosen, start)
    for start in starts:
        if start.source is not None:
            chosen = [n for n, item in enumerate(footage) if _is_named(item, start.source)]
            if not chosen:
                raise LazarettoError(f"--start: expected a source of this run, got {start.source!r}")
            _give(given, footage, chosen, start)
    return [replace(item, start=given.get(n, item.start)) for n, item in enumerate(footage)]


def _give(
    given: dict[int, int], footage: Sequence[Footage], chosen: Sequence[int], start: GivenStart
) -> None:
    for camera, count in Counter(footage[n].camera.id for n in chosen).items():
        if count > 1:
            raise LazarettoError(
                f"--start: expected one source of a camera, got {count} of camera {camera}: give each its "
                "own (--start FILE=TIME), or name the files by their time (20261124T080000.mp4)"
            )
    given.update(dict.fromkeys(chosen, start.t))


def _is_named(item: Footage, source: str) -> bool:
    path_part = item.argument.rpartition("=")[2]
    return source in (item.argument, path_part, str(item.path), item.path.name, item.camera.id) or (
        Path(source).absolute() == item.path.absolute()
    )
