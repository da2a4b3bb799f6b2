"""How ultralytics is loaded: offline, silent, and never installing packages behind our back.

ultralytics reads these variables when it is imported, so every import of it in this project goes
through `yolo()`. A user who wants a model by name from the internet sets YOLO_OFFLINE=false.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ultralytics import YOLO


def no_telemetry() -> None:
    """Keep OpenVINO and NNCF from reporting every import and conversion to their makers.

    They do so through the package openvino_telemetry, unless a file in the user's home says no, and go
    without where it cannot be imported. Cameras of a quarantine facility are nobody else's business.
    """
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))


def quiet_ultralytics() -> None:
    """Set ultralytics offline and without automatic installs, unless the user said otherwise."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")


def yolo(weights: str | Path, task: str = "detect") -> YOLO:
    """Open weights (a .pt file or an export) as an ultralytics model."""
    quiet_ultralytics()
    from ultralytics import YOLO  # imported late: torch takes seconds that `--help` should not cost

    return YOLO(str(weights), task=task, verbose=False)
