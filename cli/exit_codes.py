"""Exit codes of the command line. They are documented here and nowhere else."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    """The command did what it was asked."""
    PROGRAM_FAULT = 1
    """A fault of the program itself: Python prints a traceback and exits with this code."""
    BAD_INPUT = 2
    """The input cannot be used. Nothing was done; one sentence on standard error says why."""
    PARTLY_DONE = 3
    """Done in part, or done with warnings; standard error or the output names each of them."""
    FAULT_FOUND = 4
    """A check (`cameras test`, `doctor`) found a fault; the output names it."""
    INTERRUPTED = 130
    """Interrupted by Ctrl-C (SIGINT) or by SIGTERM. Where the same command continues, it says so."""
