"""`lazaretto zones check`: what a valid facility file contains that is probably not meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.exit_codes import ExitCode
from cli.options import JsonOption
from cli.output import print_json, print_line
from zones.checking import FRAME_ASPECT, Severity, check_facility
from zones.checking.findings import Finding
from zones.facility import load_facility


def check(
    facility: Annotated[Path, typer.Argument(help="The facility file (YAML).")],
    aspect: Annotated[
        float, typer.Option(help="Width over height of the images, for cameras with a calibration.")
    ] = round(FRAME_ASPECT, 4),
    as_json: JsonOption = False,
) -> None:
    """List what FACILITY.yaml contains that is valid but probably not meant, with its lines.

    These are overlapping zones that contradict each other, zones that no person can enter, rules that never
    decide, zones and lines that raise no incident, contact without metres, cameras in places that the order
    forbids, and kinds of public area without a camera. The exit code is 0 with notes only, 3 with warnings,
    2 when the file cannot be read.
    """
    text = load_facility(facility).text
    findings = check_facility(text, str(facility), aspect)
    warnings = sum(finding.severity is Severity.WARNING for finding in findings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        show(findings, str(facility), Console(soft_wrap=True, highlight=False, markup=False))
        print_line(f"{_count(warnings, 'warning')}, {_count(len(findings) - warnings, 'note')}")
    if warnings:
        raise typer.Exit(ExitCode.PARTLY_DONE)


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
