"""The command line: `lazaretto COMMAND`. Exit codes are those of `cli.exit_codes.ExitCode`."""

from __future__ import annotations

import sys
from typing import NoReturn

from cli.exit_codes import ExitCode
from cli.groups import CommandGroup
from cli.output import show_warnings
from models.errors import ModelError
from zones.errors import LazarettoError

LAZARETTO = CommandGroup(
    package="cli.commands",
    help="Supervise the cameras of quarantine facilities: suspected violations and coverage.",
    commands={
        "analyze": "analyze.analyze",
        "replay": "replay.replay",
        "facility": "facility.app",
        "zones": "zones.group",
        "incidents": "incidents.app",
        "verify": "verify.verify",
        "coverage": "coverage.coverage",
        "observations": "observations.app",
        "models": "models.app",
        "roles": "roles.app",
        "calibrate": "calibrate.app",
        "evaluate": "evaluate.app",
        "bench": "bench.bench",
    },
)
"""The whole program."""


def main() -> NoReturn:
    """Run the command line; an error of the user's is one sentence on standard error."""
    show_warnings()
    try:
        LAZARETTO.build(sys.argv[1:])(prog_name="lazaretto", standalone_mode=True)
    except (LazarettoError, ModelError) as error:
        print(f"lazaretto: {error}", file=sys.stderr)
        sys.exit(ExitCode.BAD_INPUT)
    except KeyboardInterrupt:  # while the modules of the command are imported
        sys.exit(_interrupted())
    except SystemExit as ended:
        # Typer turns an interruption into this code, and a reader that closed the pipe into code 1.
        if ended.code == ExitCode.INTERRUPTED:
            sys.exit(_interrupted())
        if isinstance(ended.__context__, BrokenPipeError):
            sys.exit(ExitCode.DONE)
        raise
    sys.exit(ExitCode.DONE)


def _interrupted() -> ExitCode:
    print("lazaretto: interrupted; the same command continues from here", file=sys.stderr)
    return ExitCode.INTERRUPTED
