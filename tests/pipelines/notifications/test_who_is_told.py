"""Who is told of what: filters, follow-up, restarts, escalation, quiet hours, limits, retries."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from incidents.ledger import Ledger
from incidents.rules.events import Event
from pipelines.home import Home
from pipelines.notifications.messages import Draft
from pipelines.notifications.status import status_of
from tests.incidents.ledger.event_samples import FAULT, event
from tests.incidents.ledger.ledger_samples import T0
from tests.pipelines.notifications.notifying import MINUTE, desk, tell
from vision.frames import SECOND, from_iso

OPENED = event("opened", 2)
ONE = "targets:\n  duty: {kind: apprise, url: 'json://127.0.0.1/', lang: en%s}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    with Ledger.open(tmp_path / "ledger.db"):
        pass
    return Home(tmp_path)


def other(number: int, seconds: int = 2, severity: str = "medium") -> Event:
    """An incident of another person."""
    return event("opened", seconds, identity=(number,), severity=severity)


def test_an_incident_is_told_once_and_what_becomes_of_it_after_it(home: Home) -> None:
    at = desk(home, ONE % ", events: [opened, alerted, corrected, closed]")
    at.tell(OPENED, event("alerted", 2))
    at.turn()
    at.turn()
    at.tell(event("extended", 62), event("alerted", 602, opened=T0 + 2 * SECOND))
    at.tell(event("corrected", 603, severity="high"), event("closed", 700, severity="high", reason="left"))
    at.turn()
    assert at.whats("duty") == ["opened", "alerted", "corrected", "closed"]
    assert "Severity: high (before: medium)" in at.sinks["duty"].taken[2].body


def test_a_message_says_where_and_when_and_how_to_see_it_but_nothing_of_a_person(home: Home) -> None:
    yaml = (
        "see: 'https://box.example/incidents/{id}'\n"
        + ONE.replace("%s", "")
        + ("  phone: {kind: apprise, url: 'json://127.0.0.1/', lang: vi}\n")
    )
    at = desk(home, yaml)
    at.tell(OPENED)
    at.turn()
    (english,), (vietnamese,) = at.sinks["duty"].taken, at.sinks["phone"].taken
    assert english.title == "Suspected violation (medium): entered a zone · Sân · kitchen · LC-01"
    for text in (
        "Facility: Cơ sở cách ly Nậm Loỏng (LC-01)",
        "Camera: Sân",
        "Kind: zone crossing, entered a zone",
        "Since: 2026-11-24 15:00:00 +0700",
        f"https://box.example/incidents/{OPENED.incident}",
        f"Message: {OPENED.incident}/opened/",
    ):
        assert text in english.body
    assert "resident" not in english.body + english.payload and "4d2" not in english.payload
    assert vietnamese.title.startswith("Nghi vấn vi phạm (trung bình): vào khu vực · Sân")
    assert "Từ: 2026-11-24 15:00:00 +0700" in vietnamese.body


def test_a_target_is_told_of_its_facilities_kinds_and_severities(home: Home) -> None:
    at = desk(
        home,
        "targets:\n"
        "  severe: {kind: apprise, url: 'json://127.0.0.1/', severity: high}\n"
        "  camera: {kind: apprise, url: 'json://x/', kinds: [camera_health], events: [opened, closed]}\n"
        "  elsewhere: {kind: apprise, url: 'json://127.0.0.1/', facilities: [XX-9]}\n",
    )
    at.tell(OPENED, FAULT)
    at.turn()
    assert at.whats("severe") == at.whats("camera") == ["opened"]
    at.tell(event("corrected", 70, severity="high"))
    fault = replace(FAULT.finding, end=T0 + 300 * SECOND)
    at.tell(replace(FAULT, type=event("closed", 1).type, t=T0 + 301 * SECOND, finding=fault))
    at.turn()
    # It was not severe when it was opened: it is told as soon as it is.
    assert [json.loads(one.payload)["incident"] for one in at.sinks["severe"].taken] == [
        *(FAULT.incident, OPENED.incident)
    ]
    assert at.whats("camera") == ["opened", "closed"]
    assert at.titles("camera")[0].startswith("Sự cố camera (cao): mất kết nối · Sân")
    assert at.whats("elsewhere") == []


def test_whoever_was_told_is_told_that_it_was_withdrawn_and_is_told_anew_if_it_is_raised_again(
    home: Home,
) -> None:
    yaml = ONE % ", events: [opened]" + "  severe: {kind: apprise, url: 'json://x/', severity: high}\n"
    at = desk(home, yaml)
    at.tell(OPENED, event("withdrawn", 75, reason="two tracks are one person"))
    at.turn()
    at.tell(event("opened", 90))
    at.turn()
    assert at.whats("duty") == ["opened", "withdrawn", "opened"]
    assert "Reason: two tracks are one person" in at.sinks["duty"].taken[1].body
    assert at.whats("severe") == []


def test_a_ledger_with_a_past_is_not_told_at_the_first_start_and_nothing_is_lost_later(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    tell(home, [OPENED])
    with caplog.at_level(logging.INFO):
        at = desk(home, ONE % "")
    assert "begin with what happens from now on" in caplog.text
    at.turn()
    assert at.whats("duty") == []
    at.tell(other(7))  # while nothing follows
    at.turn()
    assert at.whats("duty") == ["opened"]


def test_a_ledger_that_was_restored_from_a_copy_is_followed_from_where_it_was(home: Home) -> None:
    at = desk(home, ONE % "")
    at.tell(OPENED)
    at.turn()
    copy = home.path / "copy.db"
    with Ledger.open(home.ledger):
        pass
    shutil.copyfile(home.ledger, copy)
    at.clock.time += MINUTE
    at.tell(other(7), other(8))
    at.turn()
    for leftover in home.path.glob("ledger.db*"):
        leftover.unlink()
    shutil.copyfile(copy, home.ledger)
    at.clock.time += MINUTE
    # Both new entries have numbers that were dealt with in the ledger before.
    at.tell(other(9), other(10))
    at.turn()
    told = [json.loads(one.payload)["incident"] for one in at.sinks["duty"].taken]
    assert told == [one.incident for one in (OPENED, other(7), other(8), other(9), other(10))]


def test_what_is_found_in_old_footage_is_no_news(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    at = desk(home, ONE % "", now=T0 + 25 * 60 * MINUTE)
    with caplog.at_level(logging.WARNING):
        at.tell(OPENED)
        at.turn()
    assert at.whats("duty") == []
    assert "1 entries of incidents are not told" in caplog.text
    assert status_of(home).too_old == 1


ESCALATING = """
lang: en
targets:
  duty: {kind: apprise, url: 'json://127.0.0.1/'}
  head: {kind: apprise, url: 'json://127.0.0.1/', events: []}
  province: {kind: apprise, url: 'json://127.0.0.1/', events: []}
escalation:
  - {severity: high, targets: [head]}
  - {severity: high, after_min: 60, targets: [head, province]}
"""


def test_further_targets_are_told_when_no_one_begins_the_review_in_time(home: Home) -> None:
    at = desk(home, ESCALATING)
    at.tell(other(1, severity="high"), other(2, severity="critical"), other(3))
    at.turn(4.5)
    assert at.whats("head") == []
    at.turn(1)
    assert at.whats("head") == ["escalated"]
    assert "No one has begun the review for 5 min." in at.sinks["head"].taken[0].body
    assert json.loads(at.sinks["head"].taken[0].payload)["incident"] == other(2, severity="critical").incident
    with Ledger.open(home.ledger) as ledger:
        ledger.workflow.transition(other(2).incident, "in_review", "An", None, at.clock.now())
    at.turn(25)
    assert at.whats("head") == ["escalated"] * 2
    at.turn(120)
    # The second step: the incident that is reviewed is left out, and the medium one was never meant.
    assert at.whats("head") == ["escalated"] * 3
    assert at.whats("province") == ["escalated"]
    keys = [one.key for one in at.sinks["head"].taken]
    assert len(set(keys)) == 3
    at.tell(event("withdrawn", 9000, identity=(1,), severity="high", reason="it was none"))
    at.turn()
    assert at.whats("province") == ["escalated", "withdrawn"]
    at.tell(event("opened", 9100, identity=(1,), severity="high"))
    at.turn(61)
    assert at.whats("province") == ["escalated", "withdrawn", "escalated"]


def test_quiet_hours_of_the_facility_hold_all_but_critical_messages_until_the_morning(home: Home) -> None:
    yaml = ONE % ", quiet: [{from: '22:00', to: '06:00'}]"
    night = from_iso("2026-11-24T22:30:00+07:00")
    at = desk(home, yaml, now=night)
    after = (night - T0) // SECOND
    at.tell(*(other(n, after + n, "high") for n in (1, 2, 3)), other(4, after, "critical"))
    at.turn(7 * 60 + 29)
    assert [one.severity for one in at.sinks["duty"].taken] == ["critical"]
    assert status_of(home).targets[0].pending == 3
    at.turn(2)
    assert at.whats("duty") == ["opened", "digest"]
    digest = at.sinks["duty"].taken[1]
    assert digest.title == "Lazaretto (high): 3 messages"
    assert digest.body.count("Suspected violation (high)") == 3
    # What was held does not grow old: it is sent however long the night was.
    at.tell(other(5, after + 9 * 3600))
    at.turn()
    assert at.whats("duty") == ["opened", "digest", "opened"]


def test_no_more_than_the_limit_is_sent_in_an_hour_and_the_last_message_says_how_many_wait(
    home: Home,
) -> None:
    at = desk(home, ONE % ", most_per_hour: 4")
    at.tell(*(other(n) for n in range(1, 11)))
    at.turn(1)
    assert at.whats("duty") == ["opened"] * 3 + ["digest"]
    assert "7 messages were gathered" in at.sinks["duty"].taken[3].body
    at.tell(other(11), other(12), other(13, severity="critical"))
    at.turn(1)
    assert [one.severity for one in at.sinks["duty"].taken[4:]] == ["critical"]
    at.turn(57)
    assert len(at.sinks["duty"].taken) == 5
    at.turn(5)
    assert at.whats("duty")[5:] == ["opened"] * 2
    counts = status_of(home).targets[0]
    assert (counts.pending, counts.sent, counts.gathered) == (0, 7, 7)


def test_a_message_that_is_not_taken_is_tried_again_with_growing_waits_and_given_up_after_a_day(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    at = desk(home, ONE % "")
    sink = at.sinks["duty"]
    sink.failing = "the server is down"
    at.tell(OPENED)
    at.turn(60)
    assert 6 <= len(sink.asked) <= 12
    sink.failing = ""
    at.turn(16)
    assert at.whats("duty") == ["opened"]
    assert len({one.key for one in sink.asked}) == 1
    sink.failing = "the server is down"
    at.tell(other(7, 5000))
    with caplog.at_level(logging.WARNING):
        at.turn(24 * 60 - 5)
        assert status_of(home).targets[0].pending == 1
        at.turn(10)
    (given_up,) = [one for one in caplog.messages if "given up" in one]
    assert "given up after 24 h: the server is down" in given_up
    counts = status_of(home).targets[0]
    assert (counts.pending, counts.expired, counts.error) == (0, 1, "the server is down")


def test_messages_that_a_target_never_takes_hold_up_no_other(home: Home) -> None:
    at = desk(home, ONE % ", most_per_hour: 3600")
    sink = at.sinks["duty"]
    bad = [other(number) for number in range(1, 6)]
    take = sink.send

    def send(draft: Draft) -> None:
        sink.failing = "not this one" if draft.key.split("/")[0] in {one.incident for one in bad} else ""
        take(draft)

    sink.send = send  # type: ignore[method-assign]
    at.tell(*bad)
    at.turn(180)
    assert not sink.taken
    at.tell(other(7, 10_000))
    at.turn(15.5)
    assert [json.loads(one.payload)["incident"] for one in sink.taken] == [other(7, 10_000).incident]


def test_a_target_that_is_down_is_not_asked_with_one_message_after_the_other(home: Home) -> None:
    at = desk(home, ONE % "")
    at.sinks["duty"].failing = "the server is down"
    at.tell(*(other(number) for number in range(1, 41)))
    at.turn(60)
    assert len(at.sinks["duty"].asked) <= 12
    at.restart()
    at.sinks["duty"].failing = ""
    at.turn()
    assert at.sinks["duty"].taken


def test_a_clock_that_is_set_back_stops_no_message(home: Home) -> None:
    at = desk(home, ONE % ", most_per_hour: 2", now=T0 + 12 * 60 * MINUTE)
    at.tell(OPENED)
    at.turn()
    at.sinks["duty"].failing = "the server is down"
    at.tell(other(7, severity="critical"))
    at.turn()
    at.sinks["duty"].failing = ""
    at.clock.time = T0
    at.tell(other(8))
    at.turn()
    assert at.whats("duty") == ["opened"] * 3
