"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

from typing import Annotated

import typer

from vision.frames import from_iso
from zones.errors import LazarettoError

HomeFlag = Annotated[str | None, typer.Option("--home", help="[LAZARETTO_HOME or ./lazaretto-home]")]
From = Annotated[str | None, typer.Option("--from", help="From this time on: 2026-11-24T08:00:00+07:00.")]
To = Annotated[str | None, typer.Option("--to", help="Before this time.")]
Cameras = Annotated[list[str] | None, typer.Option("--camera", help="Id of a camera; repeatable.")]


def moment(flag: str, text: str | None) -> int | None:
    """The moment of a flag, microseconds UTC; None where it was not given.

    Raises:
        LazarettoError: it is not a time with an offset.
    """
    try:
        return None if text is None else from_iso(text)
    except ValueError as error:
        raise LazarettoError(f"{flag}: {error}") from None
