"""What operators and reviewers see of the events of incidents: ongoing, withdrawn, second look due."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from incidents.ledger import Ledger
from incidents.rules.events import Event
from pipelines.home import Home
from tests.incidents.ledger.event_samples import FAULT, NURSE, event, record_of
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility
from tests.running import Ran, lazaretto_here, one_sentence
from vision.frames import SECOND

CONTINUED = event("opened", 75, identity=(7,), start=T0 + SECOND)
OPENED = event("opened", 2)
WITHDRAWN = event(
    "withdrawn", 75, reason="two tracks are one person", replaced_by=CONTINUED.incident, people=(NURSE,)
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def tell(home: Home, happened: Sequence[Event]) -> None:
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(facility(), MODELS, {})
        for one in happened:
            ledger.incidents.record_event(one, record_of(one), run)


def incidents(home: Home, *arguments: str | Path) -> Ran:
    return lazaretto_here("incidents", *arguments, "--home", home.path)


def ids(home: Home, *arguments: str) -> list[str]:
    return [item["id"] for item in incidents(home, "list", "--json", *arguments).json]


def test_what_goes_on_and_why_it_was_raised_can_be_read(home: Home) -> None:
    tell(home, [OPENED, event("extended", 62, people=(NURSE,)), FAULT])
    listed = incidents(home, "list").out
    assert "1 suspected violation, 1 camera fault" in listed
    assert listed.count("not closed, may be continued") == 2
    shown = incidents(home, "show", OPENED.incident).out
    for text in (
        "held 2.4 s, threshold 2.0 s",
        "00000000000004d2 staff_ppe 0.93 (clothes)",
        "not closed, may be continued",
        "opened at 2026-11-24T15:00:02.000000+07:00",
        "extended at 2026-11-24T15:01:02.000000+07:00",
    ):
        assert text in shown
    record = incidents(home, "show", OPENED.incident, "--json").json
    assert (record["ongoing"], record["opened"]) == (True, "2026-11-24T15:00:02.000000+07:00")
    assert record["measure"] == {"name": "held_s", "value": 2.4, "threshold": 2.0}
    assert record["tracks"] == [
        {"id": "00000000000004d2", "role": "staff_ppe", "confidence": 0.93, "basis": "clothes"}
    ]
    assert [(entry["event"], entry["stream_time"]) for entry in record["history"]] == [
        ("opened", "2026-11-24T15:00:02.000000+07:00"),
        ("extended", "2026-11-24T15:01:02.000000+07:00"),
    ]
    assert ids(home, "--kind", "camera_health") == [FAULT.incident]
    assert "connection refused" in incidents(home, "show", FAULT.incident).out
    tell(home, [event("closed", 130, end=T0 + 62 * SECOND, reason="left the zone")])
    assert "not closed" not in incidents(home, "list", "--kind", "zone_crossing").out


def test_a_withdrawn_incident_is_shown_with_reason_and_replacement_where_it_is_asked_for(
    home: Home, tmp_path: Path
) -> None:
    tell(home, [OPENED, WITHDRAWN, CONTINUED])
    assert ids(home) == [CONTINUED.incident]
    assert ids(home, "--status", "withdrawn") == [OPENED.incident]
    assert "1 suspected violation" in incidents(home, "list").out
    assert "withdrawn" in incidents(home, "list", "--status", "withdrawn").out
    for arguments, expected in ([], CONTINUED), (["--status", "withdrawn"], OPENED):
        assert incidents(home, "export", tmp_path / "out.csv", *arguments).code == 0
        rows = list(csv.DictReader((tmp_path / "out.csv").read_text("utf-8-sig").splitlines()))
        assert [row["id"] for row in rows] == [expected.incident]
    assert (rows[0]["status"], rows[0]["withdrawn_reason"], rows[0]["replaced_by"]) == (
        *("withdrawn", "two tracks are one person"),
        CONTINUED.incident,
    )
    shown = incidents(home, "show", OPENED.incident).out
    assert f"two tracks are one person, replaced by {CONTINUED.incident}" in shown
    assert incidents(home, "show", CONTINUED.incident, "--json").json["replaces"] == [OPENED.incident]
    refused = incidents(home, "decide", OPENED.incident, "confirmed", "--by", "An", "--reason", "seen")
    assert refused.code == 2
    assert one_sentence(refused).endswith(
        f"incident {OPENED.incident} was withdrawn by the rules (two tracks are one person), and is replaced "
        f"by {CONTINUED.incident}: it cannot be moved to confirmed"
    )


def test_a_decided_incident_is_decided_again_when_a_second_look_is_due(home: Home) -> None:
    tell(home, [OPENED])
    verdict = ["decide", OPENED.incident, "--by", "An", "--reason", "seen"]
    assert incidents(home, *verdict, "confirmed").code == 0
    assert incidents(home, *verdict, "false_alarm").code == 2
    assert "not closed when it was decided" in incidents(home, "list").out
    tell(home, [WITHDRAWN])
    assert ids(home, "--second-look") == ids(home) == [OPENED.incident]
    assert ids(home, "--no-second-look") == []
    assert "second look due" in incidents(home, "list").out
    shown = incidents(home, "show", OPENED.incident)
    assert "withdrawn: two tracks are one person" in shown.out
    record = incidents(home, "show", OPENED.incident, "--json").json
    assert (record["status"], record["second_look"]) == ("confirmed", "withdrawn: two tracks are one person")
    assert incidents(home, *verdict, "false_alarm").code == 0
    assert ids(home, "--second-look") == []
    assert ids(home, "--status", "false_alarm") == [OPENED.incident]
