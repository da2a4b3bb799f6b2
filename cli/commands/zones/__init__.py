"""`lazaretto zones`: tune a facility's zones, and put them in force."""

from __future__ import annotations

import typer

from cli.commands.zones import check, publish
from cli.commands.zones.suggest import suggest_zones

app = typer.Typer(
    help="Tune a facility's zones, and put them in force.", no_args_is_help=True, rich_markup_mode=None
)
app.command("check")(check.check)
app.command("suggest")(suggest_zones)
app.command("diff")(publish.diff)
app.command("publish")(publish.publish)
app.command("history")(publish.history)
