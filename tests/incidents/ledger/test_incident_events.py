"""What the ledger makes of the events of incidents: new, in review, decided, withdrawn."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from event_samples import FAULT, FINDING, NURSE, RESIDENT, event, record_of
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_samples import MODELS, T0, facility

from incidents.ledger import Ledger, LedgerError
from incidents.record import DECIDED, Incident, Status
from incidents.rule_record import RuleRecord
from incidents.rules.events import Event, Measure
from vision.frames import SECOND
from zones.facility import Facility

KEY = FINDING.id
OPENED = event("opened", 2)
ALERTED = event("alerted", 2, alerts=(T0 + 2 * SECOND,))
EXTENDED = event("extended", 62, alerts=(T0 + 2 * SECOND,))
CORRECTED = event("corrected", 70, reason="the clothes are protective", people=(NURSE,), severity="low")
CLOSED = event("closed", 130, reason="left the zone", end=T0 + 70 * SECOND)
WITHDRAWN = event("withdrawn", 75, reason="two tracks are one person", replaced_by="0123456789abcdef")
EDITED = facility("# edited\n")
STEPS = {
    Status.NEW: [],
    Status.IN_REVIEW: ["in_review"],
    Status.CONFIRMED: ["in_review", "confirmed"],
    Status.FALSE_ALARM: ["in_review", "false_alarm"],
    Status.INCONCLUSIVE: ["in_review", "inconclusive"],
    Status.REPORTED: ["in_review", "confirmed", "reported"],
    Status.CLOSED: ["in_review", "false_alarm", "closed"],
}


class Writer:
    """A ledger with a run, and short names for what the tests do with it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.run = ledger.runs.start(facility(), MODELS, {})
        ledger.runs.start(EDITED, MODELS, {})

    def tell(self, *happened: Event, at: Facility | None = None) -> list[str]:
        return [self.ledger.incidents.record_event(one, record_of(one, at), self.run) for one in happened]

    def bring_to(self, status: Status) -> None:
        for step in STEPS[status]:
            self.ledger.workflow.transition(KEY, step, "an", "seen", T0)

    def seen(self) -> Incident:
        return self.ledger.incidents.get(KEY)

    def events(self) -> list[str]:
        return [entry.event for entry in self.ledger.incidents.history(KEY)]

    def everything(self) -> tuple[object, ...]:
        every = self.ledger.incidents.find(statuses=list(Status))
        return every, [self.ledger.incidents.history(one.id) for one in every]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield Writer(opened)


def test_an_incident_follows_its_events_and_the_history_tells_each_with_its_stream_time(
    writer: Writer,
) -> None:
    for happened in (OPENED, ALERTED, EXTENDED, CORRECTED, CLOSED):
        (result,) = writer.tell(happened)
        assert result == ("added" if happened is OPENED else "updated")
        assert writer.seen() == replace(record_of(happened), run=writer.run)
        assert writer.seen().ongoing == (happened is not CLOSED)
    history = writer.ledger.incidents.history(KEY)
    assert [(entry.event, entry.t) for entry in history] == [
        (happened.type, happened.t) for happened in (OPENED, ALERTED, EXTENDED, CORRECTED, CLOSED)
    ]
    assert [entry.reason for entry in history[3:]] == ["the clothes are protective", "left the zone"]
    roles = [entry.detail.tracks[0][1:] for entry in history if isinstance(entry.detail, RuleRecord)]
    assert roles[2:4] == [("resident", None, "camera default"), ("staff_ppe", 0.93, "clothes")]


def test_whether_it_goes_on_is_taken_from_the_event(writer: Writer) -> None:
    for happened, ongoing in ((OPENED, True), (CLOSED, False)):
        wrong = replace(record_of(happened), ongoing=not ongoing)
        writer.ledger.incidents.record_event(happened, wrong, writer.run)
        assert writer.seen().ongoing == ongoing


def test_an_event_again_changes_nothing_even_if_the_coverage_of_the_hour_has_grown(writer: Writer) -> None:
    told = [OPENED, ALERTED, EXTENDED, CORRECTED]
    writer.tell(*told)
    before = writer.everything()
    again = writer.ledger.runs.start(facility(), MODELS, {})
    for happened in told:
        grown = record_of(happened, coverage_share=0.9)
        assert writer.ledger.incidents.record_event(happened, grown, again) == "unchanged"
    assert writer.everything() == before
    assert writer.tell(replace(EXTENDED, t=EXTENDED.t + 60 * SECOND)) == ["updated"]


def test_an_incident_in_review_goes_on_and_ends_but_stays_as_the_reviewer_sees_it(writer: Writer) -> None:
    writer.tell(OPENED)
    writer.bring_to(Status.IN_REVIEW)
    before = writer.seen()
    assert writer.tell(ALERTED) == ["unchanged"]
    assert writer.tell(EXTENDED) == ["updated"]
    assert writer.seen() == replace(before, end=EXTENDED.finding.end)
    assert writer.ledger.incidents.find(since=EXTENDED.finding.end) == (writer.seen(),)
    assert writer.tell(CORRECTED) == ["second_look"]
    assert writer.seen().second_look == "corrected: the clothes are protective"
    assert writer.tell(CLOSED) == ["updated"]
    assert writer.seen() == replace(
        before, end=CLOSED.finding.end, ongoing=False, second_look=writer.seen().second_look
    )
    assert writer.events() == ["opened", "status", "alerted", "extended", "corrected", "closed"]
    assert writer.ledger.workflow.transition(KEY, "confirmed", "an", "seen", T0).second_look is None


def test_the_end_of_an_incident_in_review_is_not_that_of_other_rules(writer: Writer) -> None:
    writer.tell(OPENED)
    writer.bring_to(Status.IN_REVIEW)
    before = writer.seen()
    assert writer.tell(CLOSED, at=EDITED) == ["unchanged"]
    assert writer.seen() == before


@pytest.mark.parametrize("status", sorted(DECIDED))
def test_a_decided_incident_stays_and_asks_for_a_second_look_where_it_matters(
    writer: Writer, status: Status
) -> None:
    writer.tell(OPENED)
    writer.bring_to(status)
    before = writer.seen()
    other_rules = event("opened", 3)
    surer = event("corrected", 65, people=(replace(RESIDENT, confidence=0.8),))
    told = writer.tell(ALERTED, EXTENDED, CLOSED, other_rules, surer)
    assert told == ["unchanged", "unchanged", "updated", "unchanged", "unchanged"]
    assert before.ongoing
    before = replace(before, ongoing=False)
    assert writer.seen() == before
    assert writer.events()[-5:] == ["alerted", "extended", "closed", "opened", "corrected"]
    assert writer.tell(CORRECTED, CORRECTED) == ["second_look", "unchanged"]
    assert writer.seen() == replace(before, second_look="corrected: the clothes are protective")
    assert writer.tell(WITHDRAWN, WITHDRAWN) == ["second_look", "unchanged"]
    marked = writer.seen()
    assert marked == replace(
        before, second_look="withdrawn: two tracks are one person", replaced_by=WITHDRAWN.replaced_by
    )
    assert writer.ledger.incidents.find(second_look=True) == (marked,)
    assert writer.ledger.incidents.find(second_look=False) == ()


@pytest.mark.parametrize("status", sorted(DECIDED))
def test_a_decided_incident_that_the_rules_raise_again_needs_no_second_look(
    writer: Writer, status: Status
) -> None:
    writer.tell(OPENED)
    writer.bring_to(status)
    decided = writer.seen()
    again = event("opened", 80, replaces=())
    assert writer.tell(WITHDRAWN) == ["second_look"]
    assert (writer.seen().second_look is not None, writer.seen().ongoing) == (True, False)
    assert writer.tell(again) == ["updated"]
    assert writer.seen() == decided
    assert writer.tell(CLOSED) == ["updated"]
    assert writer.seen() == replace(decided, ongoing=False)
    before = writer.everything()
    assert set(writer.tell(OPENED, WITHDRAWN, again, CLOSED)) == {"unchanged"}
    assert writer.everything() == before


def test_a_decided_incident_that_was_corrected_and_is_opened_again_keeps_its_mark(writer: Writer) -> None:
    writer.tell(OPENED)
    writer.bring_to(Status.CONFIRMED)
    assert writer.tell(CORRECTED, event("opened", 80)) == ["second_look", "unchanged"]
    assert writer.seen().second_look == "corrected: the clothes are protective"


@pytest.mark.parametrize("status", sorted(DECIDED))
def test_a_second_look_can_be_taken_up_once_and_a_verdict_clears_it(writer: Writer, status: Status) -> None:
    writer.tell(OPENED)
    writer.bring_to(status)
    with pytest.raises(LedgerError, match=f"is {status.words}: expected a step to"):
        writer.ledger.workflow.transition(KEY, "in_review", "binh", None, T0)
    writer.tell(WITHDRAWN)
    again = writer.ledger.workflow.transition(KEY, "in_review", "binh", None, T0 + 1)
    # The verdict stands, with the name of who gave it, until the next one.
    assert (again.status, again.reviewer, again.decision) == (
        *(Status.IN_REVIEW, "an"),
        STEPS[status][1],
    )
    later = replace(WITHDRAWN, t=WITHDRAWN.t + SECOND)
    assert writer.tell(later) == ["second_look"]
    assert writer.seen().status is Status.IN_REVIEW
    done = writer.ledger.workflow.transition(KEY, "inconclusive", "binh", "not clear", T0 + 2)
    assert (done.second_look, done.reviewer, done.decision) == (None, "binh", "inconclusive")
    assert writer.tell(WITHDRAWN, later) == ["unchanged", "unchanged"]
    assert writer.seen() == done
    with pytest.raises(LedgerError, match="expected a step to closed, got in review"):
        writer.ledger.workflow.transition(KEY, "in_review", "binh", None, T0)


@pytest.mark.parametrize("status", [Status.NEW, Status.IN_REVIEW])
def test_a_withdrawn_incident_is_left_out_unless_asked_for(writer: Writer, status: Status) -> None:
    writer.tell(OPENED, ALERTED)
    writer.bring_to(status)
    assert writer.tell(WITHDRAWN, WITHDRAWN) == ["withdrawn", "unchanged"]
    found = writer.seen()
    assert (found.status, found.withdrawn_reason, found.replaced_by, found.ongoing) == (
        *(Status.WITHDRAWN, "two tracks are one person", "0123456789abcdef"),
        False,
    )
    last = writer.ledger.incidents.history(KEY)[-1]
    assert (last.event, last.t, last.from_status, last.to_status, last.replaced_by, last.run) == (
        *("withdrawn", WITHDRAWN.t, status, "withdrawn", "0123456789abcdef"),
        writer.run,
    )
    assert writer.ledger.incidents.find() == writer.ledger.incidents.find(kinds=["zone_crossing"]) == ()
    assert writer.ledger.incidents.find(statuses=["withdrawn"]) == (found,)
    assert writer.ledger.incidents.find(statuses=["new", "withdrawn"]) == (found,)
    for to in Status:
        with pytest.raises(LedgerError, match=rf"{KEY} was withdrawn by the rules \(two tracks are one pers"):
            writer.ledger.workflow.transition(KEY, to, "an", "seen", T0)


def test_edited_rules_reopen_what_was_withdrawn_and_the_edit_taken_back_withdraws_it_again(
    writer: Writer,
) -> None:
    writer.tell(OPENED)
    writer.bring_to(Status.IN_REVIEW)
    writer.tell(WITHDRAWN)
    assert writer.tell(OPENED, WITHDRAWN) == ["unchanged", "unchanged"]  # the same footage again
    assert writer.tell(OPENED, CLOSED, at=EDITED) == ["reopened", "updated"]
    found = writer.seen()
    assert found == replace(record_of(CLOSED, EDITED), run=writer.run)
    assert writer.events()[-3:] == ["reopened", "opened", "closed"]
    entry = writer.ledger.incidents.history(KEY)[-3]
    assert (entry.from_status, entry.to_status, entry.run, entry.reason) == (
        *("withdrawn", "new", writer.run),
        "the rules raise it again",
    )
    assert writer.tell(OPENED, WITHDRAWN) == ["updated", "withdrawn"]
    assert writer.tell(CLOSED) == ["reopened"]  # other rules without another facility file


def test_what_replaces_and_what_is_replaced_are_shown_both_ways(writer: Writer) -> None:
    other = event("opened", 75, start=T0 - SECOND, identity=(7,))
    new = other.incident
    writer.tell(OPENED, replace(WITHDRAWN, replaced_by=new))
    assert writer.seen().replaced_by == new  # before the other one is known
    writer.tell(replace(other, replaces=(KEY,)))
    assert writer.ledger.incidents.get(new).replaces == (KEY,)
    assert writer.ledger.incidents.find()[0].replaces == (KEY,)
    writer.tell(OPENED, at=EDITED)
    assert (writer.seen().replaced_by, writer.ledger.incidents.get(new).replaces) == (None, ())


def test_the_opened_event_alone_tells_what_it_replaces(writer: Writer) -> None:
    other = event("opened", 75, start=T0 - SECOND, identity=(7,))
    writer.tell(OPENED, replace(WITHDRAWN, replaced_by=None))
    writer.tell(replace(other, replaces=(KEY, "f" * 16)))
    assert writer.seen().replaced_by == other.incident
    assert writer.ledger.incidents.get(other.incident).replaces == (KEY,)


def test_an_event_needs_its_incident_a_run_and_a_facility_file_that_was_used(writer: Writer) -> None:
    incidents = writer.ledger.incidents
    for happened in (ALERTED, EXTENDED, CORRECTED, CLOSED, WITHDRAWN):
        with pytest.raises(LedgerError, match=f"expected it to be opened first, got {happened.type}"):
            writer.tell(happened)
    other = record_of(event("opened", 2, start=T0 - 1))
    with pytest.raises(LedgerError, match=f"expected the incident of the event, {KEY}, got {other.id}"):
        incidents.record_event(OPENED, other, writer.run)
    with pytest.raises(LedgerError, match="id of a run"):
        incidents.record_event(OPENED, record_of(OPENED), "nowhere")
    with pytest.raises(LedgerError, match="facility file that was used"):
        writer.tell(OPENED, at=facility("# never used\n"))
    assert writer.everything() == ((), [])


def test_the_state_at_the_end_of_the_footage_is_recorded_and_never_taken_back(writer: Writer) -> None:
    writer.tell(OPENED)
    state = replace(record_of(EXTENDED), end=T0 + 40 * SECOND)
    record = writer.ledger.incidents.record
    assert [record(state, writer.run), record(state, writer.run)] == ["updated", "unchanged"]
    assert writer.seen() == replace(state, run=writer.run)
    assert writer.seen().ongoing
    writer.tell(EXTENDED, CLOSED)
    before = writer.everything()
    assert record(state, writer.run) == "unchanged"  # the first part of the footage again
    assert writer.everything() == before
    assert record(replace(state, facility_version=EDITED.version), writer.run) == "updated"


def test_the_state_at_the_end_of_the_footage_moves_the_end_of_an_incident_in_review(writer: Writer) -> None:
    writer.tell(OPENED)
    writer.bring_to(Status.IN_REVIEW)
    before = writer.seen()
    state = replace(record_of(CORRECTED), end=T0 + 40 * SECOND)
    assert writer.ledger.incidents.record(state, writer.run) == "updated"
    assert writer.seen() == replace(before, end=state.end)


def test_the_health_of_a_camera_is_an_incident_without_people(writer: Writer) -> None:
    assert writer.tell(FAULT) == ["added"]
    (found,) = writer.ledger.incidents.find(kinds=["camera_health"])
    assert (found.subkind, found.tracks, found.cause) == ("offline", (), "connection refused")
    assert found.measure == Measure("lasted_s", 61.0, 60.0)


@pytest.mark.parametrize("sql", ["UPDATE incident_history SET t = 0", "DELETE FROM incident_history"])
def test_events_are_never_changed(writer: Writer, sql: str) -> None:
    writer.tell(OPENED, WITHDRAWN)
    before = writer.everything()
    stranger = sqlite3.connect(writer.ledger.path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        stranger.execute(sql)
    stranger.close()
    assert writer.everything() == before


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger without entries. Making one takes longer than all that an example writes."""
    path = tmp_path_factory.mktemp("empty") / "ledger.db"
    Ledger.open(path).close()
    return path


def open_copy(empty: Path) -> Ledger:
    path = empty.with_name("copy.db")
    for old in empty.parent.glob("copy.db*"):
        old.unlink()
    shutil.copy(empty, path)
    return Ledger.open(path)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Event, ...]:
    """Events of one incident in order: opened, what happens while it lasts, and its end, if it ends."""
    told, t, end, people, severity = [OPENED], 2, 2, (RESIDENT,), "medium"
    for kind in draw(st.lists(st.sampled_from(["alerted", "extended", "corrected"]), max_size=6)):
        t += draw(st.integers(0, 60))
        if kind == "corrected":
            people = draw(st.sampled_from([(RESIDENT,), (NURSE,)]))
            severity = draw(st.sampled_from(["medium", "low"]))
        else:
            end = t
        told.append(event(kind, t, end=T0 + end * SECOND, people=people, severity=severity))
    if last := draw(st.sampled_from(["", "closed", "withdrawn"])):
        told.append(
            event(last, t + 60, end=T0 + end * SECOND, people=people, severity=severity, reason="so it is")
        )
    return tuple(told)


def apart(told: Sequence[Event]) -> list[Event]:
    """The events that differ from every one before."""
    return [one for n, one in enumerate(told) if one not in told[:n]]


@settings(max_examples=30, deadline=None)
@given(told=histories(), data=st.data())
def test_an_incident_is_what_its_last_event_says_and_any_prefix_again_changes_nothing(
    empty: Path, told: tuple[Event, ...], data: st.DataObject
) -> None:
    with open_copy(empty) as ledger, ledger.transaction():
        writer = Writer(ledger)
        done = data.draw(st.integers(1, len(told)), label="told at first")
        writer.tell(*told[:done])
        before = writer.everything()
        assert set(writer.tell(*told[: data.draw(st.integers(0, done), label="again")])) <= {"unchanged"}
        assert writer.everything() == before
        writer.tell(*told)
        found = writer.seen()
        rules = replace(found, status=Status.NEW, withdrawn_reason=None)
        assert rules == replace(record_of(told[-1]), run=writer.run)
        assert (found.status is Status.WITHDRAWN) == (told[-1].type == "withdrawn")
        assert writer.events() == [one.type for one in apart(told)]


@settings(max_examples=30, deadline=None)
@given(told=histories(), data=st.data())
def test_what_a_reviewer_took_up_changes_in_its_end_alone_and_the_history_only_grows(
    empty: Path, told: tuple[Event, ...], data: st.DataObject
) -> None:
    with open_copy(empty) as ledger, ledger.transaction():
        writer = Writer(ledger)
        before = data.draw(st.integers(1, len(told)), label="before the review")
        writer.tell(*told[:before])
        if writer.seen().status is Status.WITHDRAWN:
            return
        status = data.draw(st.sampled_from([Status.IN_REVIEW, *sorted(DECIDED)]))
        writer.bring_to(status)
        at_first, history = writer.seen(), ledger.incidents.history(KEY)
        writer.tell(*told)
        found = writer.seen()
        grows = status is Status.IN_REVIEW
        assert found.rule_record() == at_first.rule_record().model_copy(
            update={"end": found.end if grows else at_first.end, "ongoing": found.ongoing}
        )
        assert found.end >= at_first.end
        assert (found.status is status) or (grows and told[-1].type == "withdrawn")
        after = ledger.incidents.history(KEY)
        assert after[: len(history)] == history
        assert [entry.event for entry in after[len(history) :]] == [
            one.type for one in apart(told)[len(apart(told[:before])) :]
        ]
        writer.tell(*told)
        assert ledger.incidents.history(KEY) == after
        assert writer.seen() == found
