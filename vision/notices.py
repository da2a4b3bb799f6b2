"""What live watching says to people: sentences for the log, each with a level."""

from __future__ import annotations

import logging
from enum import IntEnum
from typing import Protocol


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


def unheard(text: str, level: Level = Level.WARNING, /) -> None:
    """A `Notice` that drops what is said."""


def about(notice: CameraNotice, camera: str) -> Notice:
    """A `Notice` for sentences about one camera, or about none ("")."""

    def say(text: str, level: Level = Level.WARNING, /) -> None:
        notice(camera, text, level)

    return say
