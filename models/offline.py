"""Load ultralytics and OpenVINO offline: no telemetry, no downloads, no automatic package installs.

ultralytics reads its variables when it is imported, so every import of it in this project comes after
`quiet_ultralytics()`. With YOLO_OFFLINE=false, ultralytics may download a model by name.
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
    """Keep OpenVINO and NNCF from reporting imports and conversions to their makers.

    They report through the package openvino_telemetry unless a file in the user's home forbids it, and they
    work without it where it cannot be imported. A quarantine facility must not send such reports.
    """
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))


def quiet_ultralytics() -> None:
    """Set ultralytics offline and without automatic installs, unless the environment says otherwise."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")


def yolo(weights: str | Path, task: str = "detect") -> YOLO:
    """Open weights (a .pt file or an export) as an ultralytics model."""
    quiet_ultralytics()
    from ultralytics import YOLO  # late: torch takes seconds to import

    return YOLO(str(weights), task=task, verbose=False)
