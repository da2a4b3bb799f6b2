"""Checks of what is to be watched, before networks load and before anything is written."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from incidents.evaluate_log import LOOK_BACK_US
from pipelines.locks import Use
from pipelines.notifications.configuration import CONFIGURATION
from pipelines.watch.at_work import TASK
from pipelines.watch.request import WatchRequest
from zones.errors import LazarettoError


def check_request(request: WatchRequest, now: int) -> int:
    """Check what is asked for; nothing is written, and no camera is asked. Returns the number of cameras.

    Args:
        request: what to watch.
        now: the time of day, microseconds UTC.

    Raises:
        InUseError: another process watches, or analyses the same hours.
        LazarettoError: no camera can be watched, home or footage cannot be written, or the file of
            notifications has a fault.
    """
    chosen = request.watched(request.facility)
    for camera in chosen:
        request.reader(camera)
    home = request.home
    _check_writable(home.path, "a home folder")
    _check_writable(request.ring_folder, "a folder for footage (--ring)")
    home.refuse_in_use(*uses_of([camera.id for camera in chosen], now))
    if (home.path / CONFIGURATION).is_file():
        # It loads what sends messages, which takes long.
        from pipelines.notifications.notifier import Notifier

        Notifier(home)
    return len(chosen)


def uses_of(cameras: Sequence[str], now: int) -> tuple[Use, ...]:
    """What a watch that begins now (microseconds UTC) does to the hours of cameras."""
    return tuple(Use(name, TASK, now, reads_from=now - LOOK_BACK_US) for name in cameras)


def _check_writable(folder: Path, what: str) -> None:
    """Check that a folder can be written, or made where it is not there yet; nothing is left behind.

    Raises:
        LazarettoError: it cannot.
    """
    place = folder.absolute()
    try:
        while not place.exists():
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise LazarettoError(f"expected {what} that can be written, got {folder}: {reason}") from error
