"""The table of incidents and the count above it: what is counted, under which filter, and of which year."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.incident_table import count_text, filter_text, short_times
from incidents.ledger import Ledger
from incidents.record import Incident, Status
from pipelines.home import Home
from pipelines.incident_review import IncidentFilter
from tests.incidents.ledger.event_samples import FAULT, record_of
from tests.incidents.ledger.ledger_samples import MODELS, T0, facility, incident
from tests.running import Ran, lazaretto_here, one_sentence
from tests.sealed_home import clip, one_byte, sealed_home
from vision.frames import SECOND, from_iso

HOURS = 3600 * SECOND


def incidents(home: Home, *arguments: str | Path, columns: int = 200) -> Ran:
    return lazaretto_here("incidents", *arguments, "--home", home.path, columns=columns)


def title(home: Home, *arguments: str) -> str:
    return incidents(home, "list", *arguments).out.splitlines()[0].strip()


def decide(home: Home, found: Incident, verdict: str) -> Ran:
    return incidents(home, "decide", found.id, verdict, "--by", "An", "--reason", "seen")


def recorded(path: Path, starts: Sequence[int]) -> tuple[Home, list[Incident]]:
    """A home with contacts at these times, without evidence."""
    home = Home(path)
    found = [incident(start=start, end=start + 12 * SECOND) for start in starts]
    with Ledger.open(home.ledger) as ledger:
        run = ledger.runs.start(facility(), MODELS, {})
        for one in found:
            ledger.incidents.record(one, run)
    return home, found


@pytest.fixture
def three(tmp_path: Path) -> tuple[Home, list[Incident]]:
    return recorded(tmp_path, [T0 + n * HOURS for n in range(3)])


def test_a_false_alarm_is_no_suspected_violation_and_its_row_says_so(
    three: tuple[Home, list[Incident]],
) -> None:
    home, found = three
    assert title(home) == "3 suspected violations"
    assert decide(home, found[0], "false_alarm").code == 0
    assert title(home) == "2 suspected violations, 1 false alarm"
    assert decide(home, found[1], "confirmed").code == 0
    assert title(home) == "2 suspected violations, 1 of them confirmed, 1 false alarm"
    rows = {line.split()[1]: line for line in incidents(home, "list").out.splitlines() if "contact" in line}
    said = [rows[one.id[:6]] for one in found]
    assert ["false alarm: contact" in line for line in said] == [True, False, False]
    assert ["confirmed: contact" in line for line in said] == [False, True, False]
    narrow = incidents(home, "list", columns=80).out.splitlines()
    assert [line for line in narrow if found[0].id[:6] in line and "false alarm:" in line]
    assert decide(home, found[2], "false_alarm").code == 0
    assert title(home) == "1 suspected violation, confirmed, 2 false alarms"
    with Ledger.open(home.ledger) as ledger:
        ledger.workflow.transition(found[0].id, Status.CLOSED, "An", None, T0)
    listed = incidents(home, "list")
    assert "closed as false alarm" in listed.out
    assert "1 suspected violation, confirmed, 2 false alarms" in listed.out


def test_without_any_other_a_false_alarm_leaves_no_suspected_violation(tmp_path: Path) -> None:
    home, [one] = recorded(tmp_path, [T0])
    decide(home, one, "false_alarm")
    assert title(home) == "No suspected violations, 1 false alarm"


def test_every_incident_is_counted_once_whatever_became_of_it() -> None:
    new = incident()
    decided = {status: replace(new, status=status, decision=status.value) for status in Status}
    fault = record_of(FAULT)
    closed = replace(new, status=Status.CLOSED, decision="false_alarm")
    again = replace(new, status=Status.IN_REVIEW, decision="false_alarm", second_look="another role")
    for one, text in (
        (new, "1 suspected violation"),
        (decided[Status.INCONCLUSIVE], "1 suspected violation"),
        (decided[Status.REPORTED], "1 suspected violation, confirmed"),
        (again, "1 suspected violation"),
        (closed, "No suspected violations, 1 false alarm"),
        (decided[Status.WITHDRAWN], "No suspected violations, 1 withdrawn"),
        (fault, "No suspected violations, 1 camera fault"),
        (
            replace(fault, status=Status.FALSE_ALARM, decision="false_alarm"),
            "No suspected violations, 1 false alarm",
        ),
    ):
        assert count_text([one]) == text
    both = [decided[Status.CONFIRMED], decided[Status.REPORTED]]
    assert count_text(both) == "2 suspected violations, all of them confirmed"
    assert count_text([new, *both, closed, closed, fault, fault]) == (
        "3 suspected violations, 2 of them confirmed, 2 false alarms, 2 camera faults"
    )


@pytest.mark.parametrize(
    ("arguments", "among"),
    [
        (("--status", "new"), "with status new"),
        (("--status", "new", "--status", "in_review"), "with status new or in review"),
        (("--kind", "mask_absent"), "of kind mask absent"),
        (("--camera", "gate"), "of camera gate"),
        (("--second-look",), "with a second look due"),
        (("--camera", "yard", "--status", "inconclusive"), "of camera yard, with status inconclusive"),
        (("--since", "2030-01-01T00:00:00Z"), "in the time asked for"),
    ],
)
def test_a_filter_that_leaves_nothing_is_named(
    three: tuple[Home, list[Incident]], arguments: tuple[str, ...], among: str
) -> None:
    home, found = three
    for one in found:
        decide(home, one, "confirmed")
    assert title(home, *arguments) == f"No suspected violations among those {among}"


def test_a_filter_that_leaves_some_is_named_and_none_is_not(three: tuple[Home, list[Incident]]) -> None:
    home, found = three
    decide(home, found[0], "false_alarm")
    assert title(home, "--status", "new") == "2 suspected violations among those with status new"
    assert title(home, "--no-second-look").endswith("1 false alarm among those with no second look due")
    assert filter_text(IncidentFilter()) == ""


def test_times_have_a_year_where_they_are_not_all_of_one(tmp_path: Path) -> None:
    one_year, _ = recorded(tmp_path / "one", [T0, T0 + HOURS])
    assert "│ 11-24 15:00:00 │" in incidents(one_year, "list").out
    # 2026-12-31 16:59 and 17:01 UTC are of two years in the facility's zone, seven hours ahead.
    starts = [from_iso(f"2026-12-31T{time}:00Z") for time in ("16:59", "17:01")]
    two_years, _ = recorded(tmp_path / "two", starts)
    for columns in (80, 200):
        shown = incidents(two_years, "list", columns=columns).out
        assert "2026-12-31 23:59:00" in shown and "2027-01-01 00:01:00" in shown


@given(st.lists(st.datetimes(), max_size=4))
def test_no_two_different_times_of_a_table_read_the_same(moments: list[object]) -> None:
    times = [from_iso(f"{moment:%Y-%m-%dT%H:%M:%S}Z") for moment in moments if moment.year > 1970]  # type: ignore[attr-defined]
    assert len(set(short_times((t, "UTC") for t in times))) == len(set(times))


@pytest.mark.parametrize("fate", ["altered", "missing"])
def test_a_verdict_on_altered_evidence_is_kept_with_a_warning(tmp_path: Path, fate: str) -> None:
    sealed = sealed_home(tmp_path)
    home, (first, second) = sealed
    one_byte(clip(sealed)) if fate == "altered" else clip(sealed).unlink()
    ran = decide(home, first, "confirmed")
    assert ran.code == 3
    assert f"{first.id} confirmed, decided by An" in ran.out
    assert f"{fate}: {clip(sealed).relative_to(home.path).as_posix()}" in one_sentence(ran)
    assert incidents(home, "show", first.id, "--json").json["status"] == "confirmed"
    sound = decide(home, second, "confirmed")
    assert (sound.code, sound.err) == (0, "")


def test_a_refused_verdict_says_nothing_of_the_evidence(tmp_path: Path) -> None:
    sealed = sealed_home(tmp_path)
    one_byte(clip(sealed))
    ran = decide(sealed[0], sealed[1][0], "guilty")
    assert ran.code == 2
    assert "sealed" not in one_sentence(ran)


def test_the_coverage_beside_an_export_has_local_hours(
    three: tuple[Home, list[Incident]], tmp_path: Path
) -> None:
    home, _ = three
    assert incidents(home, "export", tmp_path / "out.csv").code == 0
    with (tmp_path / "out.coverage.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:4] == ["camera", "hour_utc", "hour_local", "facility_version"]
    assert rows
