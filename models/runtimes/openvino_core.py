"""OpenVINO's entry point, one for the whole process."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino

_lock = threading.Lock()


def openvino_core() -> openvino.Core:
    """The Core of this process, which lives as long as the process.

    The CPU plugin gives the thread that loads it another stack for signal handlers, and frees that stack in
    the thread that releases the plugin (seen with OpenVINO 2026.4). If the two differ, the next signal,
    such as Ctrl-C, ends the process with a segmentation fault. The plugin is released with the last Core and
    network; a Core that is never released keeps it.
    """
    with _lock:
        return _core()


@cache
def _core() -> openvino.Core:
    import openvino  # late: seconds to import

    return openvino.Core()
