"""`lazaretto zones suggest` on a synthetic day of a corridor, and on real footage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import LAZARETTO
from incidents.record import Incident, Status
from incidents.rules.machines.plan import plan_camera
from tests.pipelines.suggestion.corridor import DOORS, corridor
from tests.pipelines.suggestion.corridor_home import CAMERA, TEXT, decide, make_home
from tests.running import FACILITY, lazaretto, one_sentence
from zones.errors import LazarettoError
from zones.facility import ZoneType, load_facility
from zones.geometry import signed_distance
from zones.permission import denies_anything

HOURS = 12.0


@dataclass(frozen=True)
class Site:
    home: Path
    facility: Path
    incidents: list[Incident]

    def suggest(self, *more: str | Path) -> Any:
        flags = ("--home", self.home, "--facility", self.facility, "--camera", CAMERA, *more)
        return CliRunner().invoke(
            LAZARETTO.build(["zones"]), ["zones", "suggest", *map(str, flags)], env={"COLUMNS": "180"}
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A day of the corridor; the longest stay in the store was confirmed, all others were false alarms."""
    folder = tmp_path_factory.mktemp("site")
    file = folder / "facility.yaml"
    file.write_bytes(TEXT.encode())
    found = make_home(folder / "home", corridor(HOURS, seed=8, stroll_s=20.0).log, HOURS)
    longest = max(found, key=lambda incident: incident.end - incident.start)
    for incident in found:
        decide(
            folder / "home", incident, Status.CONFIRMED if incident.id == longest.id else Status.FALSE_ALARM
        )
    return Site(folder / "home", file, found)


def test_a_draft_adds_proposals_with_their_evidence_and_keeps_every_other_byte(
    site: Site, tmp_path: Path
) -> None:
    draft = tmp_path / "draft.yaml"
    ran = site.suggest("--output", draft, "--rate", "8")
    assert ran.exit_code == 0, ran.output
    assert site.facility.read_bytes() == TEXT.encode()
    text = draft.read_text(encoding="utf-8")
    kept = iter(text.splitlines())
    assert all(line in kept for line in TEXT.splitlines()), "lines are missing or out of order"
    camera = load_facility(draft).camera(CAMERA)
    before = load_facility(site.facility).camera(CAMERA)
    assert camera.zones[: len(before.zones)] == before.zones
    assert camera.model_copy(update={"zones": before.zones}) == before
    doors = [zone for zone in camera.zones if zone.type is ZoneType.ROOM_DOOR]
    assert len(doors) == 3
    for place in DOORS:
        assert any(signed_distance([np.array(place) / (16, 12)], d.polygon)[0] > 0 for d in doors)
    assert all(door.origin_role is None for door in doors)
    lines = text.splitlines()
    for door in doors:
        (above,) = [lines[n - 1] for n, line in enumerate(lines) if f"id: {door.id}" in line]
        assert above.strip().startswith("# suggested from 2026-11-26 12:00-")
        assert "tracks began or ended here" in above
    (above,) = [lines[n - 1] for n, line in enumerate(lines) if line.strip().startswith("dwell_s:")]
    assert "# suggested from" in above and "1 of 1 confirmed kept" in above
    assert "lazaretto zones diff" in ran.output and "Until then nothing has changed" in ran.output


def test_a_proposed_floor_denies_no_role_at_any_time(site: Site, tmp_path: Path) -> None:
    """Not even residents during the curfew, whom its type denies; and masks and contact still count in it."""
    draft = tmp_path / "draft.yaml"
    assert site.suggest("--output", draft).exit_code == 0
    facility = load_facility(draft)
    (floor,) = [zone for zone in facility.camera(CAMERA).zones if zone.id.startswith("floor")]
    assert floor.type is ZoneType.COMMON
    assert not denies_anything(floor, facility)
    planned = plan_camera(facility, facility.camera(CAMERA), 4 / 3)
    watched = {machine.place.id for machine in planned.machines}
    assert "store" in watched and floor.id not in watched


def test_the_table_shows_the_evidence(site: Site) -> None:
    ran = site.suggest("--rate", "8")
    assert ran.exit_code == 0
    for expected in (
        "door-1 (room_door)",
        "floor-1 (common)",
        "dwell_s 1",
        "1 of 1",
        "left",
        "--output FILE",
    ):
        assert expected in ran.output, expected
    assert "at the edges of the frame" in ran.output


def test_json_has_the_same_and_nothing_else_is_on_standard_output(site: Site) -> None:
    ran = site.suggest("--json", "--rate", "8")
    result = json.loads(ran.stdout)
    assert {zone["id"] for zone in result["zones"]} == {"floor-1", "door-1", "door-2", "door-3"}
    assert result["rules"][0]["field"] == "dwell_s"
    (dwell,) = result["dwells"]
    assert dwell["zone"] == "store" and dwell["confirmed"] == 1 and dwell["meets_rate"]
    assert result["draft"] is None and result["hours_watched"] == pytest.approx(HOURS, abs=0.01)
    assert {passage["side"] for passage in result["passages"]} == {"left", "right"}


def test_accepted_proposals_are_not_made_again(site: Site, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    assert site.suggest("--output", draft, "--rate", "8").exit_code == 0
    again = Site(site.home, draft, site.incidents)
    result = json.loads(again.suggest("--json", "--rate", "8", "--output", tmp_path / "second.yaml").stdout)
    assert result["zones"] == [] and result["rules"] == [] and result["draft"] is None
    assert sum("in the file already" in notice for notice in result["notices"]) == 4
    assert not (tmp_path / "second.yaml").exists()


def test_a_time_of_the_day_can_be_chosen(site: Site) -> None:
    result = json.loads(
        site.suggest(
            "--json", "--since", "2026-11-26T14:00:00+07:00", "--until", "2026-11-26T15:00:00+07:00"
        ).stdout
    )
    assert result["from"].startswith("2026-11-26T07:00") and result["to"].startswith("2026-11-26T08:00")
    assert result["hours_watched"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--camera", "nobody"), "expected a camera of LC-01"),
        (("--rate", "0"), "expected a rate of false alarms per day above 0, got 0"),
        (("--since", "yesterday"), "--since: "),
        (("--since", "2030-01-01T00:00:00Z"), "expected a time in which camera 'cam-1' was watched"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    site: Site, tmp_path: Path, flags: tuple[str, ...], sentence: str
) -> None:
    draft = tmp_path / "draft.yaml"
    ran = site.suggest("--output", draft, *flags)
    assert isinstance(ran.exception, LazarettoError)
    assert str(ran.exception).startswith(sentence)
    assert not draft.exists()


def test_nothing_is_overwritten_unasked_and_the_facility_file_never(site: Site, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text("mine")
    refused = site.suggest("--output", draft)
    assert "or --force" in str(refused.exception) and draft.read_text() == "mine"
    own = site.suggest("--output", site.facility, "--force")
    assert "a person decides" in str(own.exception) and site.facility.read_bytes() == TEXT.encode()
    assert site.suggest("--output", draft, "--force").exit_code == 0
    assert draft.read_text() != "mine"


def test_on_real_footage_the_path_is_found_and_a_short_log_is_reported(
    analysed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Two minutes of PETS: people keep to the path, a few cross the lawn alone, no person uses a door."""
    home, _ = analysed
    draft = tmp_path / "draft.yaml"
    flags = ("--home", home, "--facility", FACILITY, "--camera", "yard")
    ran = lazaretto("zones", "suggest", *flags, "--output", draft)
    assert ran.code == 0, ran.err
    (floor,) = [zone for zone in load_facility(draft).camera("yard").zones if zone.id == "floor-1"]
    way, lawn = ((0.35, 0.45), (0.55, 0.5), (0.8, 0.6)), ((0.2, 0.8), (0.5, 0.9), (0.1, 0.6))
    assert (signed_distance(way, floor.polygon) > 0).all()
    assert (signed_distance(lawn, floor.polygon) < 0).all()
    assert "h only" in ran.err
    assert "dwell_gate_s stays at 1 s" in ran.err
    assert load_facility(draft).rules == load_facility(FACILITY).rules


def test_a_home_without_the_camera_is_one_sentence(tmp_path: Path) -> None:
    ran = lazaretto(
        "zones",
        "suggest",
        "--home",
        tmp_path,
        "--facility",
        FACILITY,
        "--camera",
        "yard",
        "--output",
        "x.yaml",
    )
    assert ran.code == 2
    assert "expected" in one_sentence(ran)
