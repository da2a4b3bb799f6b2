"""`lazaretto verify`: check the seals of the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from cli.commands.incidents import KindsOption, SecondLookOption
from cli.exit_codes import ExitCode
from cli.options import CamerasOption, HomeOption, JsonOption, SinceOption, UntilOption, read_window
from cli.output import count_progress, print_json
from incidents.seals import printable
from pipelines.home import Home
from pipelines.incident_review import IncidentFilter
from pipelines.verification_payload import VerificationPayload
from pipelines.verify import UnknownFile, Verification
from pipelines.verify import verify as check_all

StatusesOption = Annotated[
    list[str] | None,
    typer.Option("--status", help="new, confirmed and others; repeatable [all, withdrawn ones too]."),
]


def verify(
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    kind: KindsOption = None,
    camera: CamerasOption = None,
    status: StatusesOption = None,
    second_look: SecondLookOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every file of evidence, and compare it with its seal: the SHA-256 and length in the ledger.

    Named are files that were altered, are missing or cannot be read, and files that the ledger does not know
    (unsealed). Incidents that were withdrawn are checked too. With a filter, only the incidents that it
    chooses and their folders. The exit code is 0 where all is as it was sealed, else 3.
    """
    low, high = read_window(since, until)
    wanted = IncidentFilter(low, high, kind or None, camera or None, status or None, second_look)
    chosen = None if wanted == IncidentFilter() else wanted
    with count_progress("reading evidence") as progress:
        found = check_all(Home.choose(home), chosen, progress)
    if as_json:
        print_json(VerificationPayload.of(found).to_dict())
    else:
        for line in _lines(found):
            print(line)
    if not found.sound:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _lines(found: Verification) -> Iterator[str]:
    """What was found, one line for each file, and a summary."""
    for fault in found.faults:
        yield f"{printable(fault.check.item.path)} (incident {fault.incident}): {fault.check.sentence}"
    for item in found.unsealed:
        yield f"{_place(item)}: unsealed: expected files that the ledger holds, got {_what(item)}"
    for path, reason in found.unlisted.items():
        yield f"{printable(path)}: expected a folder that can be listed, got: {reason}"
    for sentence in found.ledger_faults:
        yield f"the ledger itself is damaged: {sentence}"
    for item in found.pending:
        yield f"{_place(item)}: not sealed yet; an analysis of this camera is at work"
    for path in found.temporary:
        yield f"{printable(path)}: temporary; the analysis that made it is at work or was interrupted"
    counts = ", ".join(
        f"{found.count(state)} {state}"
        for state in ("intact", "altered", "missing", "unreadable")
        if state == "intact" or found.count(state)
    )
    yield (
        f"{_count(found.incidents, 'incident')}, {_count(len(found.checked), 'sealed file')}: {counts}; "
        f"{len(found.unsealed)} unsealed ({found.bytes_read / 1e6:,.1f} MB read in {found.seconds:.1f} s)"
    )
    if found.without_evidence:
        yield f"{_count(found.without_evidence, 'incident')} without any sealed evidence: nothing to verify"


def _place(item: UnknownFile) -> str:
    of = "" if item.incident is None else f" (in the folder of incident {item.incident})"
    return printable(item.path) + of


def _what(item: UnknownFile) -> str:
    return item.what if item.bytes is None else f"{item.what} of {item.bytes:,} bytes"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
