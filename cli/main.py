"""The command line: `lazaretto COMMAND`. Exit codes are those of `cli.exit_codes.ExitCode`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

import typer

from cli.exit_codes import ExitCode
from cli.output import show_warnings
from models.errors import ModelError
from zones.errors import LazarettoError

_COMMANDS = {
    "analyze": "analyze.analyze",
    "replay": "replay.replay",
    "facility": "facility.app",
    "zones": "zones.app",
    "incidents": "incidents.app",
    "verify": "verify.verify",
    "coverage": "coverage.coverage",
    "observations": "observations.app",
    "models": "models.app",
    "roles": "roles.app",
    "calibrate": "calibrate.app",
    "evaluate": "evaluate.app",
    "bench": "bench.bench",
}
"""Command -> module and attribute below `cli.commands`: a function, or the Typer app of a group."""


def build(wanted: str | None = None) -> typer.Typer:
    """Build the command line.

    Args:
        wanted: the one command to include, so that only its modules are imported (torch alone takes
            seconds); any other value includes all commands.
    """
    app = typer.Typer(
        name="lazaretto",
        help="Supervise the cameras of quarantine facilities: suspected violations and coverage.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)  # Without a callback, Typer would make a single command the whole program.
    for name in [wanted] if wanted in _COMMANDS else _COMMANDS:
        module, attribute = _COMMANDS[name].split(".")
        command = getattr(import_module(f"cli.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> NoReturn:
    """Run the command line; an error of the user's is one sentence on standard error."""
    show_warnings()
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else None)(standalone_mode=True)
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
