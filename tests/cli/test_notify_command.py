"""`lazaretto notify`: the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.ledger import Ledger
from pipelines.home import Home
from tests.incidents.ledger.event_samples import event
from tests.pipelines.notifications.notifying import Web, desk
from tests.running import lazaretto_here, one_sentence


@pytest.fixture
def home(tmp_path: Path) -> Home:
    with Ledger.open(tmp_path / "ledger.db"):
        pass
    return Home(tmp_path)


def test_a_test_message_goes_to_each_target_and_the_answer_of_each_is_said(home: Home) -> None:
    with Web(answers=[403]) as bad, Web() as good:
        (home.path / "notifications.yaml").write_text(
            f"targets:\n  bad: {{kind: apprise, url: '{bad.url}'}}\n"
            f"  good: {{kind: apprise, url: '{good.url}', lang: en}}\n",
            "utf-8",
        )
        ran = lazaretto_here("notify", "test", "--home", home.path)
        assert (ran.code, ran.err) == (3, "")
        assert "bad: not taken: " in ran.out and "403" in ran.out and "good: taken" in ran.out
        assert good.taken[0].content["title"] == "Lazaretto: Test message"
        ran = lazaretto_here("notify", "test", "--home", home.path, "--json")
        assert (ran.code, ran.json["bad"]) == (0, {"taken": True, "error": None})


def test_one_target_alone_can_be_tested(home: Home) -> None:
    with Web() as web:
        text = (
            "targets:\n  down: {kind: apprise, url: '${UNSET_ADDRESS}'}\n"
            f"  good: {{kind: apprise, url: '{web.url}'}}\n"
            "escalation: [{severity: high, targets: [down]}]\n"
        )
        (home.path / "notifications.yaml").write_text(text, "utf-8")
        ran = lazaretto_here("notify", "test", "good", "--home", home.path)
        assert (ran.code, ran.out) == (0, "good: taken\n") and len(web.taken) == 1
        ran = lazaretto_here("notify", "test", "goood", "--home", home.path)
        assert ran.code == 2 and "expected one of down, good, got 'goood'" in one_sentence(ran)
        assert len(web.taken) == 1


WAITING = """\
targets:
  duty: {kind: apprise, url: 'json://127.0.0.1/', most_per_hour: 1}
  night: {kind: apprise, url: 'json://127.0.0.1/', quiet: [{from: "14:00", to: "17:30"}]}
  down: {kind: apprise, url: 'json://127.0.0.1/'}
"""


def test_the_status_says_for_what_messages_wait_in_the_time_of_the_facility(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.path / "notifications.yaml").write_text(WAITING, "utf-8")
    at = desk(home, WAITING)
    monkeypatch.setattr("cli.commands.notify.SystemClock", lambda: at.clock)
    fault = "the server " + "a" * 100 + " is down"
    at.sinks["down"].failing = fault
    at.tell(event("opened", 2))
    at.turn()
    at.tell(event("opened", 3, identity=(9,)))
    at.turn()
    ran = lazaretto_here("notify", "status", "--home", home.path, columns=80)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    # 08:00 UTC is 15:00 in the facility.
    row = next(line for line in lines if line.startswith("duty "))
    assert row.split() == ["duty", "1", "2026-11-24", "15:00", "1", "2026-11-24", "15:00", "0", "0"]
    assert (
        "duty: 1 message waits until 2026-11-24 16:00: the limit of an hour (most_per_hour) is reached"
    ) in lines
    assert "night: 2 messages wait until 2026-11-24 17:30: quiet hours" in lines
    # It was asked with the first of them alone, and the others wait for the same.
    assert (
        "down: 2 messages wait until 2026-11-24 15:00:10 at most: the target did not take one, and is asked "
        "again then"
    ) in lines
    assert f"down: the last fault: {fault}" in lines
    assert all(len(line) <= 80 for line in lines if ":" not in line.split()[0])
    found = lazaretto_here("notify", "status", "--home", home.path, "--json").json
    waits = {one["target"]: one["waits"] for one in found["targets"]}
    assert [(one["reason"], one["messages"]) for one in waits["night"]] == [("quiet", 2)]
    assert waits["night"][0]["until"].startswith("2026-11-24T10:30:00")


def test_a_file_of_notifications_with_a_fault_hides_no_queue(home: Home) -> None:
    at = desk(home, WAITING)
    at.tell(event("opened", 2))
    at.turn()
    (home.path / "notifications.yaml").write_text("targets: {}\n", "utf-8")
    ran = lazaretto_here("notify", "status", "--home", home.path)
    assert ran.code == 0 and "night" in ran.out
    assert "for what messages wait is not known: " in one_sentence(ran)


def test_the_queue_can_be_seen(home: Home) -> None:
    nothing = lazaretto_here("notify", "status", "--home", home.path)
    assert nothing.code == 0 and "Nothing was followed yet" in nothing.out
    (home.path / "notifications.db").touch()  # as a kill at the first start leaves it
    assert "Nothing was followed yet" in lazaretto_here("notify", "status", "--home", home.path).out
    at = desk(home, "targets: {duty: {kind: apprise, url: 'json://127.0.0.1/'}}")
    at.tell(event("opened", 2), event("opened", 3, identity=(9,)))
    at.sinks["duty"].failing = "the server is down"
    at.turn()
    found = lazaretto_here("notify", "status", "--home", home.path, "--json").json
    (one,) = found["targets"]
    assert (found["behind"], one["pending"], one["sent"], one["error"]) == (0, 2, 0, "the server is down")
    assert one["oldest"].startswith("2026-11-24T08:00:00")
    assert "the server is down" in lazaretto_here("notify", "status", "--home", home.path).out


def test_what_is_missing_is_said_in_one_sentence(home: Home, tmp_path: Path) -> None:
    ran = lazaretto_here("notify", "run", "--home", home.path)
    assert ran.code == 2
    assert "notifications.yaml: expected a file of notifications" in one_sentence(ran)
    config = tmp_path / "n.yaml"
    config.write_text("targets: {duty: {kind: apprise, url: 'json://127.0.0.1/'}}", "utf-8")
    ran = lazaretto_here("notify", "run", "--home", tmp_path / "none", "--config", config)
    assert ran.code == 2 and "ledger.db: expected a ledger, got no such file" in one_sentence(ran)
    assert not (tmp_path / "none" / "notifications.db").exists()
