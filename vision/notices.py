"""What live watching says to people: sentences for the log, each with a level."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from zones.errors import LazarettoError


class Level(IntEnum):
    """How much a sentence matters; the numbers are those of `logging`."""

    INFO = logging.INFO
    """Ordinary: a beginning, an end, an incident, a fault that is over."""
    WARNING = logging.WARNING
    """To be looked at: something is amiss, and is tried again."""
    ERROR = logging.ERROR
    """Something that should be recorded is lost, or the program failed."""


class Notice(Protocol):
    """Takes a sentence for the log, from any thread."""

    def __call__(self, text: str, level: Level = Level.WARNING, /) -> None:
        """Log a sentence."""


class CameraNotice(Protocol):
    """Takes a sentence for the log that is about a camera, from any thread."""

    def __call__(self, camera: str, text: str, level: Level = Level.WARNING, /) -> None:
        """Log a sentence about a camera, or about none ("")."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What to say of an error.

    Attributes:
        text: for the log; of a fault of the program with its trace.
        level: how much it matters.
    """

    text: str
    level: Level

    @property
    def short(self) -> str:
        """The last line of the text."""
        return self.text.splitlines()[-1]


def fault_of(error: Exception) -> Fault:
    """What to say of an error: a sentence for one that was foreseen, the trace of any other."""
    if isinstance(error, LazarettoError):
        return Fault(str(error), Level.WARNING)
    trace = "".join(traceback.format_exception(error)).strip()
    return Fault(f"the program failed: {trace}", Level.ERROR)


def unheard(text: str, level: Level = Level.WARNING, /) -> None:
    """A `Notice` that drops what is said."""


def about(notice: CameraNotice, camera: str) -> Notice:
    """A `Notice` for sentences about one camera, or about none ("")."""

    def say(text: str, level: Level = Level.WARNING, /) -> None:
        notice(camera, text, level)

    return say
