"""The command line: `lazaretto COMMAND`. Exit codes are those of `cli.exit_codes.ExitCode`."""

from __future__ import annotations

import sys
from typing import NoReturn

from cli.exit_codes import ExitCode
from cli.groups import CommandGroup
from cli.interruption import Interrupted, end_on_sigterm, sentence_for, wake_on_sigint
from cli.logs import say, show_sentences
from models.errors import ModelError
from vision.notices import Level
from zones.errors import LazarettoError

LAZARETTO = CommandGroup(
    package="cli.commands",
    help="Supervise the cameras of quarantine facilities: suspected violations and coverage.",
    commands={
        "analyze": "analyze.analyze",
        "watch": "watch.watch",
        "cameras": "cameras.app",
        "doctor": "doctor.doctor",
        "replay": "replay.replay",
        "facility": "facility.app",
        "zones": "zones.group",
        "incidents": "incidents.app",
        "verify": "verify.verify",
        "notify": "notify.app",
        "coverage": "coverage.coverage",
        "observations": "observations.app",
        "maintenance": "maintenance.app",
        "backup": "backup.backup",
        "restore": "backup.restore",
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
    show_sentences()
    try:
        end_on_sigterm()
        program = LAZARETTO.build(sys.argv[1:])
        wake_on_sigint()
        program(prog_name="lazaretto", standalone_mode=True)
    except (LazarettoError, ModelError) as error:
        say(error, Level.ERROR)
        sys.exit(ExitCode.BAD_INPUT)
    except Interrupted as ended:
        sys.exit(_interrupted(str(ended)))
    except KeyboardInterrupt:  # while the modules of the command are imported
        sys.exit(_interrupted(sentence_for(sys.argv[1:])))
    except SystemExit as ended:
        # Typer turns an interruption into this code, and a reader that closed the pipe into code 1.
        if ended.code == ExitCode.INTERRUPTED:
            sys.exit(_interrupted(sentence_for(sys.argv[1:])))
        if isinstance(ended.__context__, BrokenPipeError):
            sys.exit(ExitCode.DONE)
        raise
    sys.exit(ExitCode.DONE)


def _interrupted(sentence: str) -> ExitCode:
    say(sentence)
    return ExitCode.INTERRUPTED
