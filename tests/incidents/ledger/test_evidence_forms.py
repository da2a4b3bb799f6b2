"""Sealed originals, copies for viewing beside them, and their revisions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ledger_samples import MODELS, T0, facility, incident

from incidents.ledger import Ledger, LedgerError
from incidents.record import Evidence, Status

KEY = incident().id
ORIGINAL = Evidence("clip", "e/clip.mp4", "c" * 64, 1000, T0)
BLURRED = Evidence("clip", "e/viewing/clip.mp4", "d" * 64, 900, T0 + 1, "viewing")
AGAIN = Evidence("clip", "e/viewing/2.mp4", "e" * 64, 800, T0 + 2, "viewing", 2)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        opened.incidents.record(incident(), opened.runs.start(facility(), MODELS, {}))
        yield opened


def attach(ledger: Ledger, item: Evidence) -> str:
    return ledger.incidents.attach_evidence(
        KEY, item.kind, item.path, item.sha256, item.bytes, item.created, item.form
    )


def decide(ledger: Ledger) -> None:
    for status in (Status.IN_REVIEW, Status.CONFIRMED):
        ledger.workflow.transition(KEY, status, "an", "seen", T0)


def test_a_copy_for_viewing_stands_beside_the_original_and_the_newest_is_shown(ledger: Ledger) -> None:
    assert attach(ledger, ORIGINAL) == "added"
    assert ledger.incidents.get(KEY).evidence_to_show("clip") == ORIGINAL
    decide(ledger)

    assert attach(ledger, BLURRED) == "added"
    assert attach(ledger, BLURRED) == "unchanged"
    assert attach(ledger, AGAIN) == "replaced"

    found = ledger.incidents.get(KEY)
    assert (found.evidence, found.viewing) == ((ORIGINAL,), (AGAIN,))
    assert found.evidence_of_kind("clip") == ORIGINAL and found.evidence_to_show("clip") == AGAIN
    assert ledger.incidents.find() == (found,)
    assert ledger.incidents.evidence_revisions(KEY[:6]) == (ORIGINAL, BLURRED, AGAIN)
    attached = [entry.detail for entry in ledger.incidents.history(KEY) if entry.event == "evidence"]
    assert attached == [ORIGINAL, BLURRED, AGAIN]


def test_the_original_of_an_incident_under_review_is_never_replaced(ledger: Ledger) -> None:
    attach(ledger, ORIGINAL)
    longer = Evidence("clip", "e/2/clip.mp4", "f" * 64, 2000, T0 + 3, revision=2)
    assert attach(ledger, longer) == "replaced"
    decide(ledger)

    with pytest.raises(LedgerError, match="is confirmed: its clip cannot be replaced"):
        attach(ledger, ORIGINAL)
    assert ledger.incidents.get(KEY).evidence == (longer,)
    assert ledger.incidents.evidence_revisions(KEY) == (ORIGINAL, longer)


def test_a_copy_without_an_original_and_an_unknown_form_are_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="expected an original clip before a copy of it for viewing"):
        attach(ledger, BLURRED)
    with pytest.raises(LedgerError, match="expected a form of evidence among original, viewing, got 'draft'"):
        ledger.incidents.attach_evidence(KEY, "clip", "a", "c" * 64, 1, T0, "draft")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE evidence SET sha256 = 'x'",
        "DELETE FROM evidence",
        "INSERT OR REPLACE INTO evidence SELECT incident, kind, form, revision, 'x', sha256, bytes, created "
        "FROM evidence",
    ],
)
def test_no_program_changes_an_entry_of_evidence_unnoticed(ledger: Ledger, change: str) -> None:
    attach(ledger, ORIGINAL)
    with closing(sqlite3.connect(ledger.path)) as other, pytest.raises(sqlite3.IntegrityError, match="never"):
        other.execute(change)
