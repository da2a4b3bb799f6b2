"""Publications keep their comparison for good: what was written is read again as it was."""

from __future__ import annotations

import json
from pathlib import Path

import sqlite_utils

from incidents.comparison_payload import ComparisonPayload
from incidents.ledger import Ledger
from tests.incidents.ledger.ledger_samples import facility

COMPARISON = {
    "old": "a" * 64,
    "new": "b" * 64,
    "cameras": ["yard"],
    "start": "2026-11-24T01:00:00.000000Z",
    "end": "2026-11-24T02:00:00.500000Z",
    "camera_hours": 1,
    "same": 3,
    "changed": [],
    "gained": [
        {
            "id": "1" * 16,
            "old_id": None,
            "new_id": "1" * 16,
            "recorded": None,
            "camera": "yard",
            "kind": "zone_crossing",
            "zone": "bãi cỏ",
            "severity": "high",
            "start": "2026-11-24T08:00:02.000000+07:00",
            "end": "2026-11-24T08:00:07.250000+07:00",
            "verdict": None,
            "differences": {
                "tracks": {"old": ["1 resident"], "new": []},
                "distance_min": {"old": None, "new": 0.5},
            },
        }
    ],
    "lost": [],
    "confirmed_but_raised_by_neither": ["2" * 16],
    "scores": [
        {
            "kind": None,
            "zone": None,
            "old": dict.fromkeys(("raised", "confirmed", "missed", "false_alarms", "undecided"), 1)
            | {"precision": 0.5, "recall": 0.5},
            "new": dict.fromkeys(("raised", "confirmed", "missed", "false_alarms", "undecided"), 0)
            | {"precision": None, "recall": None},
        }
    ],
}
"""In the form in which ledgers hold it since the first publication."""


def test_a_comparison_comes_back_as_it_was_written(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        written = ComparisonPayload.model_validate(COMPARISON)
        published = ledger.publications.publish(facility(), "An", "why", None, written)
        assert published.comparison == written
        assert ledger.publications.in_force(facility().code) == published
        assert written.to_dict() == COMPARISON


def test_a_comparison_in_an_older_ledger_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        ledger.publications.publish(facility(), "An", "why", None, None)
    db = sqlite_utils.Database(path)
    with db.conn:
        db["publications"].insert(
            {
                "facility": facility().code,
                "version": facility().version,
                "previous": None,
                "author": "Binh",
                "at": 1,
                "note": "",
                "comparison": json.dumps(COMPARISON, ensure_ascii=False),
            }
        )
    db.close()
    with Ledger.open(path, create=False) as ledger:
        first, second = ledger.publications.find()
        assert first.comparison is None
        assert second.comparison is not None and second.comparison.to_dict() == COMPARISON
