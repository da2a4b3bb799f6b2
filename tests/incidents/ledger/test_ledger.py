from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_samples import MODELS, T0, facility, incident

from incidents.ledger import Ledger, LedgerError
from incidents.ledger.history import ReportDetail
from incidents.record import NEXT, VERDICTS, Evidence, Status
from incidents.rule_record import KINDS, RuleRecord
from vision.frames import SECOND

SHA = "c" * 64
BY_PEOPLE = tuple(status for status in Status if status is not Status.WITHDRAWN)
"""The statuses that people give. The rules withdraw: see test_incident_events."""


class Clock:
    """A time of recording that the test sets."""

    def __init__(self) -> None:
        self.t = T0

    def __call__(self) -> int:
        self.t += SECOND
        return self.t


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db", clock=Clock()) as opened:
        yield opened


@pytest.fixture
def run(ledger: Ledger) -> str:
    return ledger.runs.start(facility(), MODELS, {})


def bring_to(ledger: Ledger, incident_id: str, status: Status) -> None:
    path = {
        Status.NEW: [],
        Status.IN_REVIEW: [Status.IN_REVIEW],
        Status.REPORTED: [Status.IN_REVIEW, Status.CONFIRMED, Status.REPORTED],
        Status.CLOSED: [Status.IN_REVIEW, Status.FALSE_ALARM, Status.CLOSED],
    }.get(status, [Status.IN_REVIEW, status])
    for step in path:
        ledger.workflow.transition(incident_id, step, "r1", "seen", T0)


def test_what_was_recorded_comes_back_whole(ledger: Ledger, run: str) -> None:
    first = incident()
    assert ledger.incidents.record(first, run) == "added"
    found = ledger.incidents.get(first.id)
    assert found == replace(first, run=run)
    assert ledger.incidents.find() == (found,)
    (entry,) = ledger.incidents.history(first.id)
    assert (entry.event, entry.run, entry.at) == ("added", run, T0 + 2 * SECOND)
    assert entry.detail == first.rule_record()


def test_the_same_footage_twice_adds_nothing(ledger: Ledger, run: str) -> None:
    ledger.incidents.record(incident(), run)
    again = ledger.runs.start(facility(), MODELS, {})
    assert ledger.incidents.record(incident(), again) == "unchanged"
    assert len(ledger.incidents.find()) == len(ledger.incidents.history(incident().id)) == 1
    assert ledger.incidents.get(incident().id).run == run


def test_an_episode_that_goes_on_updates_the_incident_and_keeps_what_it_was(ledger: Ledger, run: str) -> None:
    ledger.incidents.record(incident(), run)
    longer = incident(end=T0 + 40 * SECOND, severity="critical")
    assert ledger.incidents.record(longer, run) == "updated"
    found = ledger.incidents.get(longer.id)
    assert (found.end, found.severity, found.status) == (longer.end, "critical", Status.NEW)
    history = ledger.incidents.history(longer.id)
    assert [entry.event for entry in history] == ["added", "updated"]
    assert [entry.detail.end for entry in history if isinstance(entry.detail, RuleRecord)] == [
        incident().end,
        longer.end,
    ]
    assert ledger.incidents.find(since=longer.end) == (found,)


@pytest.mark.parametrize("status", BY_PEOPLE[1:])
def test_what_a_person_took_up_is_never_touched_by_a_later_judgement(
    ledger: Ledger, run: str, status: Status
) -> None:
    ledger.incidents.record(incident(), run)
    bring_to(ledger, incident().id, status)
    before = ledger.incidents.get(incident().id)
    events = len(ledger.incidents.history(before.id))
    otherwise = incident(severity="low", end=T0 + 50 * SECOND)
    assert [ledger.incidents.record(otherwise, run) for _ in range(3)] == ["unchanged"] * 3
    assert ledger.incidents.get(before.id) == before
    added = ledger.incidents.history(before.id)[events:]
    assert [entry.event for entry in added] == ["rejudged"]
    assert added[0].detail == otherwise.rule_record()
    assert ledger.incidents.record(incident(), run) == "unchanged"  # back to what the reviewer saw
    assert len(ledger.incidents.history(before.id)) == events + 1


def test_an_incident_needs_a_run_and_a_facility_file_that_was_used(ledger: Ledger, run: str) -> None:
    with pytest.raises(LedgerError, match=r"id of a run .*got 'nowhere'"):
        ledger.incidents.record(incident(), "nowhere")
    with pytest.raises(LedgerError, match="facility file that was used"):
        ledger.incidents.record(incident(at=facility("# edited\n")), run)
    assert ledger.incidents.find() == ()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE incident_history SET reason = 'other'",
        "UPDATE incident_history SET id = id + 100",
        "DELETE FROM incident_history",
        "DELETE FROM incident_history WHERE id = 1",
        "REPLACE INTO incident_history SELECT * FROM incident_history",
        "INSERT INTO incident_history SELECT * FROM incident_history WHERE TRUE "
        "ON CONFLICT (id) DO UPDATE SET reason = 'other'",
        "DELETE FROM incidents",
    ],
)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_history_only_grows_whoever_asks(ledger: Ledger, run: str, sql: str, recursive: str) -> None:
    ledger.incidents.record(incident(), run)
    bring_to(ledger, incident().id, Status.CONFIRMED)
    before = ledger.incidents.history(incident().id)
    stranger = sqlite3.connect(ledger.path)
    stranger.execute(f"PRAGMA recursive_triggers = {recursive}")
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|never deleted"):
        stranger.execute(sql)
        stranger.commit()
    stranger.close()
    assert ledger.incidents.history(incident().id) == before


def test_from_new_to_closed_with_who_when_and_why(ledger: Ledger, run: str) -> None:
    ledger.incidents.record(incident(), run)
    key = incident().id
    ledger.workflow.transition(key, "in_review", "an", None, T0 + 1)
    confirmed = ledger.workflow.transition(key, Status.CONFIRMED, "an", " seen clearly ", T0 + 2)
    assert (confirmed.reviewer, confirmed.decision, confirmed.reason, confirmed.decided_at) == (
        *("an", "confirmed", "seen clearly"),
        T0 + 2,
    )
    ledger.workflow.transition(key, "reported", "binh", "weekly report", T0 + 3, report_number="12/BC-SYT")
    closed = ledger.workflow.transition(key, "closed", "binh", "", T0 + 4, facility_action="staff reminded")
    assert (closed.status, closed.report_number, closed.facility_action) == (
        *(Status.CLOSED, "12/BC-SYT"),
        "staff reminded",
    )
    # Reporting does not put another name under the verdict.
    assert (closed.reviewer, closed.reason, closed.decided_at) == ("an", "seen clearly", T0 + 2)
    steps = [e for e in ledger.incidents.history(key) if e.event == "status"]
    assert [(e.from_status, e.to_status, e.by, e.at - T0) for e in steps] == [
        ("new", "in_review", "an", 1),
        ("in_review", "confirmed", "an", 2),
        ("confirmed", "reported", "binh", 3),
        ("reported", "closed", "binh", 4),
    ]
    assert steps[2].detail == ReportDetail(report_number="12/BC-SYT")


@pytest.mark.parametrize("before", BY_PEOPLE)
def test_every_step_that_the_workflow_does_not_have_is_refused(
    ledger: Ledger, run: str, before: Status
) -> None:
    ledger.incidents.record(incident(), run)
    bring_to(ledger, incident().id, before)
    history = ledger.incidents.history(incident().id)
    for to in set(Status) - NEXT[before]:
        with pytest.raises(LedgerError, match=f"is {before.value.replace('_', ' ')}: expected a step to "):
            ledger.workflow.transition(incident().id, to, "r1", "because", T0)
    assert ledger.incidents.history(incident().id) == history
    for to in NEXT[before]:
        with pytest.raises(LedgerError, match="got an empty name"):
            ledger.workflow.transition(incident().id, to, " ", "because", T0)
        if to in VERDICTS:
            with pytest.raises(LedgerError, match="expected a reason"):
                ledger.workflow.transition(incident().id, to, "r1", "  ", T0)
        if to not in (Status.REPORTED, Status.CLOSED):
            with pytest.raises(LedgerError, match="report_number when reported or closed"):
                ledger.workflow.transition(incident().id, to, "r1", "x", T0, report_number="1")
    assert ledger.incidents.get(incident().id).status is before


def test_a_status_that_does_not_exist_is_refused(ledger: Ledger, run: str) -> None:
    ledger.incidents.record(incident(), run)
    with pytest.raises(LedgerError, match=r"expected a status among new, .*got 'guilty'"):
        ledger.workflow.transition(incident().id, "guilty", "r1", "x", T0)


def test_of_two_reviewers_the_second_is_refused(ledger: Ledger, run: str) -> None:
    ledger.incidents.record(incident(), run)
    bring_to(ledger, incident().id, Status.IN_REVIEW)
    with Ledger.open(ledger.path) as other:
        other.workflow.transition(incident().id, "confirmed", "an", "seen", T0)
        with pytest.raises(LedgerError, match="is confirmed: expected a step to reported, got false alarm"):
            ledger.workflow.transition(incident().id, "false_alarm", "binh", "not seen", T0)
    assert ledger.incidents.get(incident().id).reviewer == "an"


def test_evidence_is_tied_replaced_while_new_and_sealed_under_review(ledger: Ledger, run: str) -> None:
    ledger.incidents.record(incident(), run)
    key = incident().id
    clip = ("evidence/yard/clip.mp4", SHA, 1000, T0)
    assert ledger.incidents.attach_evidence(key, "clip", *clip) == "added"
    assert ledger.incidents.attach_evidence(key, "clip", *clip) == "unchanged"
    assert ledger.incidents.attach_evidence(key, "clip", clip[0], "d" * 64, 2000, T0 + 1) == "replaced"
    ledger.incidents.attach_evidence(key, "boxes", "evidence/yard/boxes.json", SHA, 10, T0)
    assert [(e.kind, e.sha256, e.bytes) for e in ledger.incidents.get(key).evidence] == [
        ("boxes", SHA, 10),
        ("clip", "d" * 64, 2000),
    ]
    assert ledger.incidents.get(key).evidence == ledger.incidents.find()[0].evidence
    history = ledger.incidents.history(key)
    digests = [entry.detail.sha256 for entry in history if isinstance(entry.detail, Evidence)]
    assert digests == [SHA, "d" * 64, SHA]
    bring_to(ledger, key, Status.IN_REVIEW)
    with pytest.raises(LedgerError, match="is in review: its clip cannot be replaced"):
        ledger.incidents.attach_evidence(key, "clip", *clip)
    assert ledger.incidents.attach_evidence(key, "keyframe", "k.jpg", SHA, 1, T0) == "added"


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (("film", "a", SHA, 1), "expected evidence among clip, keyframe, boxes.*, got 'film'"),
        (("clip", "/etc/passwd", SHA, 1), "below the home folder"),
        (("clip", "a/../../b", SHA, 1), "below the home folder"),
        (("clip", "", SHA, 1), "below the home folder"),
        (("clip", "a", "C" * 64, 1), "expected a SHA-256"),
        (("clip", "a", "c" * 63, 1), "expected a SHA-256"),
        (("clip", "a", SHA, -1), "and a length"),
    ],
)
def test_evidence_that_cannot_be_is_refused(
    ledger: Ledger, run: str, item: tuple[str, str, str, int], sentence: str
) -> None:
    ledger.incidents.record(incident(), run)
    with pytest.raises(LedgerError, match=sentence):
        ledger.incidents.attach_evidence(incident().id, *item, created=T0)
    with pytest.raises(LedgerError, match="id of an incident"):
        ledger.incidents.attach_evidence("0" * 16, "clip", "a", SHA, 1, T0)
    assert ledger.incidents.get(incident().id).evidence == ()


def test_an_id_may_be_shortened_while_it_fits_one_incident(ledger: Ledger, run: str) -> None:
    made = [incident(start=T0 + i, end=T0 + SECOND) for i in range(40)]
    for item in made:
        ledger.incidents.record(item, run)
    shared = next(d for d in "0123456789abcdef" if sum(item.id.startswith(d) for item in made) > 1)
    with pytest.raises(LedgerError, match=r"expected the id of one incident, got .* which fits "):
        ledger.incidents.get(shared)
    for item in made:
        assert ledger.incidents.get(item.id[:12].upper()).id == item.id
        assert ledger.incidents.history(item.id[:12])[0].incident == item.id
    for unknown in ("", "zz", "%", made[0].id + "0", "g"):
        with pytest.raises(LedgerError, match=r"expected the id of an incident in .*ledger\.db, got"):
            ledger.incidents.get(unknown)


def test_filters_that_can_never_match_are_refused_and_an_empty_choice_is_nothing(
    ledger: Ledger, run: str
) -> None:
    ledger.incidents.record(incident(), run)
    for query, sentence in [
        ({"kinds": ["mask"]}, "expected a kind among .*got 'mask'"),
        ({"statuses": ["open"]}, "expected a status among .*got 'open'"),
        ({"since": T0, "until": T0}, "expected a start before 2026-11-24T08:00:00"),
        ({"limit": -1}, "limit of 0 or more"),
    ]:
        with pytest.raises(LedgerError, match=sentence):
            ledger.incidents.find(**query)  # type: ignore[arg-type]
    assert (
        ledger.incidents.find(cameras=[])
        == ledger.incidents.find(kinds=())
        == ledger.incidents.find(limit=0)
        == ()
    )
    assert len(ledger.incidents.find(kinds="contact", cameras="yard")) == 1
    assert ledger.incidents.find(cameras=["yard' OR '1'='1"]) == ()


def test_time_is_half_open_by_overlap(ledger: Ledger, run: str) -> None:
    ledger.incidents.record(incident(), run)
    start, end = incident().start, incident().end
    assert ledger.incidents.find(until=start) == ledger.incidents.find(since=end + 1) == ()
    for since, until in [(start, start + 1), (end, end + 1), (start - 1, start + 1), (start + 1, end - 1)]:
        assert len(ledger.incidents.find(since, until)) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_filters_combine_with_and(many: Ledger, data: st.DataObject) -> None:
    everything = many.incidents.find()
    since = data.draw(st.none() | st.integers(T0 - 5, T0 + 45))
    until = None if since is None else data.draw(st.none() | st.integers(since + 1, T0 + 60))
    kinds = data.draw(st.none() | st.sets(st.sampled_from(KINDS)))
    cameras = data.draw(st.none() | st.sets(st.sampled_from(["yard", "gate", "roof"])))
    statuses = data.draw(st.none() | st.sets(st.sampled_from([Status.NEW, Status.IN_REVIEW])))
    limit = data.draw(st.none() | st.integers(0, 8))
    newest_first = data.draw(st.booleans())
    expected = [
        item
        for item in sorted(everything, key=lambda item: (item.start, item.id), reverse=newest_first)
        if (since is None or item.end >= since)
        and (until is None or item.start < until)
        and (kinds is None or item.kind in kinds)
        and (cameras is None or item.camera in cameras)
        and (statuses is None or item.status in statuses)
    ]
    found = many.incidents.find(since, until, kinds, cameras, statuses, limit, newest_first)
    assert list(found) == expected[:limit]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.open(tmp_path_factory.mktemp("many") / "ledger.db") as opened:
        run = opened.runs.start(facility(), MODELS, {})
        with opened.transaction():
            for i in range(40):
                item = incident(
                    camera=("yard", "gate")[i % 2], kind=KINDS[i % 5], start=T0 + i, end=T0 + i + i % 7
                )
                opened.incidents.record(item, run)
                if i % 3 == 0:
                    opened.workflow.transition(item.id, "in_review", "r1", None, T0)
        yield opened
