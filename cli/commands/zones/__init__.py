"""`lazaretto zones`: tune a facility's zones, and put them in force."""

from __future__ import annotations

from cli.groups import CommandGroup

group = CommandGroup(
    package="cli.commands.zones",
    help="Tune a facility's zones, and put them in force.",
    commands={
        "check": "check.check",
        "suggest": "suggest.suggest_zones",
        "diff": "publish.diff",
        "publish": "publish.publish",
        "history": "publish.history",
    },
)
