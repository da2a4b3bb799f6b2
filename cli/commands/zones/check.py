"""`lazaretto zones check`: what is allowed in a facility file and still not likely to be meant."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from zones.checking import FRAME_ASPECT, Severity, check_facility
from zones.checking.findings import Finding
from zones.errors import LazarettoError
from zones.facility import load_facility

WARNED = 3


def check(
    facility: Annotated[Path, typer.Argument(help="The facility file (YAML).")],
    aspect: Annotated[
        float, typer.Option(help="Width over height of the cameras' pictures, for calibrated cameras.")
    ] = round(FRAME_ASPECT, 4),
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """What FACILITY.yaml allows and is not likely to mean, with its lines.

    Zones that contradict each other or that nobody can enter, rules that never decide, places that never
    raise anything, contact without metres, placements that the order forbids, kinds of public area without a
    camera. Exits 0 with nothing but notes, 3 with warnings, 2 when the file cannot be read.
    """
    if not 0.1 <= aspect <= 10:
        raise LazarettoError(f"--aspect: expected 0.1 to 10, got {aspect:g}")
    text = load_facility(facility).text
    findings = check_facility(text, str(facility), aspect)
    warnings = sum(finding.severity is Severity.WARNING for finding in findings)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=1))
    else:
        console = Console(soft_wrap=True, highlight=False, markup=False)
        show(findings, str(facility), console)
        notes = len(findings) - warnings
        console.print(f"{_count(warnings, 'warning')}, {_count(notes, 'note')}")
    if warnings:
        raise typer.Exit(WARNED)


def show(findings: Iterable[Finding], name: str, console: Console) -> None:
    """Print findings of a facility file, a line each."""
    for finding in findings:
        console.print(
            f"{name}: line {finding.line}: {finding.severity.value}: {finding.field}: {finding.sentence}",
            style="yellow" if finding.severity is Severity.WARNING else None,
            soft_wrap=True,
            highlight=False,
            markup=False,
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
