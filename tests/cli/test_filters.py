"""Filters: an unknown camera, kind or status is an error with the nearest known one; a known one never is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.ledger import Ledger
from tests.incidents.rules.rule_scenes import observe, scene, stay
from tests.logs import log_home
from tests.running import Ran, lazaretto_here

CAMERA = scene().cameras[0]
NOW = scene().model_copy(update={"cameras": (CAMERA.model_copy(update={"id": "entrance"}),)})
BEFORE = scene().model_copy(update={"cameras": (CAMERA.model_copy(update={"id": "old-gate"}),)})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose facility once had the camera old-gate, and has the camera entrance, with footage."""
    folder = tmp_path_factory.mktemp("home")
    with Ledger.open(folder / "ledger.db") as ledger:
        ledger.runs.start(BEFORE, {}, {})
    log_home(folder, NOW, {"entrance": observe([stay(1, 8, 6, 0, 5)], camera="entrance")})
    yield folder


def run(home: Path, *arguments: str) -> Ran:
    return lazaretto_here(*arguments, "--home", home)


COMMANDS = (
    ("incidents", "list"),
    ("incidents", "list", "--json"),
    ("incidents", "export", "unwritten.csv"),
    ("incidents", "exposures"),
    ("coverage",),
    ("verify",),
    ("replay", "--facility", NOW.version),
    ("observations", "show"),
    ("observations", "compact", "--dry-run"),
    ("observations", "purge", "--dry-run"),
    ("observations", "recover"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_camera_is_an_error_with_a_suggestion(home: Path, command: tuple[str, ...]) -> None:
    ran = run(home, *command, "--camera", "entrace")
    assert ran.code == 2
    assert ran.out == ""
    assert "'entrace'" in ran.err
    assert "did you mean 'entrance'?" in ran.err


@pytest.mark.parametrize(
    ("option", "value", "meant"),
    [
        ("--kind", "mask_absnt", "mask_absent"),
        ("--kind", "zone crossing", "zone_crossing"),
        ("--status", "Confirmed", "confirmed"),
        ("--status", "false-alarm", "false_alarm"),
        ("--camera", "Entrance", "entrance"),
        ("--camera", "old gate", "old-gate"),
    ],
)
def test_an_unknown_kind_or_status_is_an_error_with_a_suggestion(
    home: Path, option: str, value: str, meant: str
) -> None:
    ran = run(home, "incidents", "list", option, value)
    assert ran.code == 2
    assert f"did you mean {meant!r}?" in ran.err


@pytest.mark.parametrize("command", [("incidents", "list"), ("incidents", "exposures"), ("coverage",)])
def test_a_camera_of_an_earlier_facility_file_is_known(home: Path, command: tuple[str, ...]) -> None:
    assert run(home, *command, "--camera", "old-gate").code == 0


def test_a_word_that_is_near_nothing_gets_the_list(home: Path) -> None:
    ran = run(home, "coverage", "--camera", "xyz")
    assert (ran.code, "did you mean" in ran.err) == (2, False)
    assert "expected one of entrance, old-gate" in ran.err


@pytest.mark.parametrize("command", [("incidents", "list"), ("coverage",), ("verify",)], ids=" ".join)
def test_a_time_that_ends_before_it_begins_is_an_error(home: Path, command: tuple[str, ...]) -> None:
    times = ("--since", "2026-11-24T10:00:00Z", "--until", "2026-11-24T10:00:00Z")
    ran = run(home, *command, *times)
    assert (ran.code, ran.out) == (2, "")
    assert "expected --since before --until, got 2026-11-24T10:00:00Z" in ran.err
