"""The command line: `lazaretto COMMAND`.

Exit codes: 0 done; 1 a fault of the program; 2 bad input, nothing was done; 3 done in part, the faults
are named; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from models.errors import ModelError
from pipelines.commands import (
    analyze,
    bench,
    calibrate,
    evaluate,
    incidents,
    log,
    models,
    replay,
    roles,
    zones,
)
from zones.errors import LazarettoError

BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    name="lazaretto",
    help="Camera supervision of quarantine facilities: suspected violations, and proof of watching.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("analyze")(analyze.analyze)
app.command("replay")(replay.replay)
app.add_typer(zones.app, name="zones")
app.add_typer(incidents.app, name="incidents")
app.add_typer(log.app, name="log")
app.add_typer(models.app, name="models")
app.add_typer(roles.app, name="roles")
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(evaluate.app, name="evaluate")
app.command("bench")(bench.bench)


def main() -> NoReturn:
    """Run the command line; what goes wrong for a user is one sentence on standard error."""
    try:
        app(standalone_mode=True)
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
