"""`lazaretto evaluate`: accuracy against truth, with confidence intervals."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from cli.commands.evaluate.degradation import degradation
from cli.commands.evaluate.detection import detection
from cli.commands.evaluate.events import events
from cli.commands.evaluate.forms import forms
from cli.commands.evaluate.masks import masks
from cli.commands.evaluate.roles import roles
from cli.commands.evaluate.tracking import tracking

app = typer.Typer(
    help="Measure accuracy against truth, with 95 % confidence intervals.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("detection")(detection)
app.command("degradation")(degradation)
app.command("tracking")(tracking)
app.command("forms")(forms)
app.command("masks")(masks)
app.command("events")(events)
app.command("roles")(roles)


class TruthFile(StrEnum):
    """The truth files of this project."""

    EVENTS = "events"
    MASKS = "masks"


@app.command()
def schema(file: Annotated[TruthFile, typer.Argument(help="The truth file.")]) -> None:
    """Print the JSON Schema of a truth file, for editors that check a file against it."""
    from evaluation.truth import json_schema

    print(json.dumps(json_schema(file.value), indent=1, ensure_ascii=False))
