"""`lazaretto maintenance` as a technician runs it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.running import lazaretto_here as lazaretto
from tests.running import one_sentence
from tests.sealed_home import sealed_home
from vision.frames import SECOND, from_iso


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return sealed_home(tmp_path / "home")[0].path


def local(minutes: int) -> str:
    """A time in Viet Nam, as a person writes it: minutes from now."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 7 * 3600 + minutes * 60))


def test_maintenance_is_announced_listed_and_ended(home: Path) -> None:
    begun = time.time_ns() // 1000
    ran = lazaretto(
        *("maintenance", "add", "--from", local(60), "--until", local(120), "--reason", "new lens"),
        *("--camera", "yard", "--by", "An", "--home", home),
    )
    assert ran.code == 0, ran.err
    assert ran.out.startswith("Maintenance 1 announced: ") and "+07:00, yard" in ran.out
    now = lazaretto("maintenance", "add", "--until", local(30), "--reason", "switch", "--home", home)
    assert now.code == 0 and "Maintenance 2 active: " in now.out and "all cameras" in now.out
    [first, second] = lazaretto("maintenance", "list", "--json", "--home", home).json
    assert (first["cameras"], first["by"], first["reason"]) == (["yard"], "An", "new lens")
    assert abs(from_iso(first["start"]) - begun - 3600 * SECOND) < 60 * SECOND
    assert second["cameras"] is None and second["progress"] == "active"
    assert "new lens" in lazaretto("maintenance", "list", "--home", home).out
    ended = lazaretto("maintenance", "end", "1", "--by", "Bình", "--home", home)
    assert ended.code == 0 and "Maintenance 1 called off" in ended.out
    ended = lazaretto("maintenance", "end", "2", "--home", home)
    assert ended.code == 0 and "Maintenance 2 ended early" in ended.out
    later = lazaretto("maintenance", "list", "--json", "--since", local(40), "--home", home).json
    assert [(one["id"], one["progress"], one["ended_by"]) for one in later] == [(1, "called off", "Bình")]
    again = lazaretto("maintenance", "end", "2", "--home", home)
    assert again.code == 2 and "expected a window that is not over" in one_sentence(again)
    assert "+07:00 (ended by " in one_sentence(again)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2026-01-01 08:00", "--until", "2099-01-01 08:00"], "from 2026-01-01 08:00:00 +07:00: "),
        (["--until", "2020-01-01T00:00:00Z"], "got 2020-01-01 07:00:00 +07:00"),
        (["--until", "2020-01-01"], "--until: expected a time such as"),
        (["--from", "soon", "--until", "2099-01-01 08:00"], "--from: expected a time such as"),
        (["--camera", "yrad", "--until", "2099-01-01 08:00"], "did you mean 'yard'?"),
    ],
)
def test_what_cannot_be_announced_is_one_sentence(home: Path, arguments: list[str], said: str) -> None:
    ran = lazaretto("maintenance", "add", *arguments, "--reason", "lens", "--home", home)
    assert ran.code == 2 and said in one_sentence(ran)
    assert lazaretto("maintenance", "list", "--json", "--home", home).json == []
