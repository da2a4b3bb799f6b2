"""`lazaretto evaluate`: accuracy against truth, one command per question, every figure with an interval."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from cli.commands.evaluate.detection import detection
from cli.commands.evaluate.events import events
from cli.commands.evaluate.masks import masks
from cli.commands.evaluate.roles import roles
from cli.commands.evaluate.tracking import tracking

app = typer.Typer(
    help="Measure accuracy against truth, every figure with its 95 % interval.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("detection")(detection)
app.command("tracking")(tracking)
app.command("masks")(masks)
app.command("events")(events)
app.command("roles")(roles)


class Form(StrEnum):
    """The truth files of ours."""

    EVENTS = "events"
    MASKS = "masks"


@app.command()
def schema(form: Annotated[Form, typer.Argument(help="Which truth file.")]) -> None:
    """Print the JSON Schema of a truth file, for editors that check while you type."""
    from evaluation.truth import json_schema

    print(json.dumps(json_schema(form.value), indent=1, ensure_ascii=False))
