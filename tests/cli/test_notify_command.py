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
