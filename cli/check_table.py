"""Findings of checks, as lines."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from pipelines.findings import CheckFinding, Level

_STYLES = {Level.OK: None, Level.WARNING: "yellow", Level.FAULT: "red"}


def print_findings(findings: Iterable[CheckFinding]) -> None:
    """Print findings on standard output: a line each, and below it what to do."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for one in findings:
        console.print(f"{one.level.value:<8}{one.subject}: {one.text}", style=_STYLES[one.level])
        if one.advice:
            console.print(f"        {one.advice}")
