"""The command line: `lazaretto COMMAND`.

Exit codes: 0 done; 1 a fault of the program; 2 bad input, nothing was done; 3 done in part, the faults
are named; 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NoReturn

import typer

from models.errors import ModelError
from zones.errors import LazarettoError

BAD_INPUT = 2
INTERRUPTED = 130

_COMMANDS = {
    "analyze": "analyze.analyze",
    "replay": "replay.replay",
    "facility": "facility.app",
    "zones": "zones.app",
    "incidents": "incidents.app",
    "observations": "observations.app",
    "models": "models.app",
    "roles": "roles.app",
    "calibrate": "calibrate.app",
    "evaluate": "evaluate.app",
    "bench": "bench.bench",
}
"""Command -> module and name below `cli.commands`: a function, or the app of a group."""


def build(wanted: str | None = None) -> typer.Typer:
    """The command line with one command, or, where `wanted` is none of them, with all.

    Only what is wanted is imported: torch alone takes seconds, and most commands look at no picture.
    """
    app = typer.Typer(
        name="lazaretto",
        help="Camera supervision of quarantine facilities: suspected violations, and proof of watching.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)  # without it, a single command would take the place of the group
    for name in [wanted] if wanted in _COMMANDS else _COMMANDS:
        module, attribute = _COMMANDS[name].split(".")
        command = getattr(import_module(f"cli.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> NoReturn:
    """Run the command line; what goes wrong for a user is one sentence on standard error."""
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else None)(standalone_mode=True)
    except (LazarettoError, ModelError) as error:
        print(f"lazaretto: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        print("lazaretto: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(0)
