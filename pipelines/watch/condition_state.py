"""What a camera was seen to show, across restarts: the view with which its condition is compared."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

from pipelines.home import Home
from pipelines.watch.rules_state import FOLDER
from vision.condition.monitor import ConditionMonitor
from vision.observations.files import write_atomically
from vision.state import State, StateError


def save_condition(home: Home, camera: str, monitor: ConditionMonitor) -> None:
    """Save what a monitor knows, whole or not at all.

    Raises:
        ObservationError: the disk refuses it.
    """
    body = io.BytesIO()
    np.savez_compressed(body, allow_pickle=False, **monitor.state())
    write_atomically(_path(home, camera), body.getvalue())


def continue_monitor(home: Home, camera: str) -> tuple[ConditionMonitor, str]:
    """A monitor that goes on from what was saved, and why it could not, or ""."""
    monitor = ConditionMonitor()
    try:
        data = _path(home, camera).read_bytes()
    except FileNotFoundError:
        return monitor, ""
    except OSError as error:
        return monitor, f"the saved view cannot be read ({error.strerror or error}); it is learned anew"
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            state: State = dict(archive)
        monitor.restore(state)
    except (StateError, zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError) as error:
        return ConditionMonitor(), f"the saved view is not used ({error}); it is learned anew"
    return monitor, ""


def _path(home: Home, camera: str) -> Path:
    return home.path / FOLDER / f"condition-{camera}.npz"
