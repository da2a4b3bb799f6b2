"""What is ignored or marked stands beside a count, the same after analysis, replay and in the coverage."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.record_incidents import record_incidents
from pipelines.replay import replay
from pipelines.watched import find_watches
from pipelines.watched_hours import count_missing, record_hours
from tests.incidents.rules.rule_scenes import NOON, RESIDENTS, Person, box_zone, norm, observe, scene, stay
from tests.logs import log_home
from vision.frames import SECOND
from zones.facility import ZoneType

STORE = box_zone("store", ZoneType.STAFF_ONLY, 1, 1, 15, 11)
SCREEN = norm((9, 4), (12, 4), (12, 8), (9, 8))


def test_batch_replay_and_coverage_count_the_same(tmp_path: Path) -> None:
    statue = Person(1, [(0, 4, 6), (4000, 4, 6)], extra={"face_change": None})
    log = observe([statue, stay(2, 10, 6, 100, 160), stay(3, 13, 10, 3500, 3900)], hz=2)
    last = NOON + 4000 * SECOND + 1
    facility = scene(STORE, ignore=(SCREEN,), **RESIDENTS)
    home = Home(tmp_path)
    run = log_home(home.path, facility, {"cam-1": log})
    with Ledger.open(home.ledger) as ledger:
        camera, window = facility.cameras[0], (NOON, last)
        recorded = record_incidents(home, ledger, facility, camera, window, [], run)
        # Without the rules, from the log alone.
        counted = count_missing(home, ledger, facility, ["cam-1"], window)
        record_hours(home, ledger, facility, camera, window, (), recorded.marked.by_hour)
        [watch] = find_watches(ledger, ["cam-1"], window, facility.version)
        found = replay(home, ledger, facility)
        other = replay(home, ledger, scene(STORE, **RESIDENTS))
    assert watch.total("static_s") == pytest.approx(4000 - 120, abs=2)
    assert watch.total("ignored_s") == pytest.approx(60, abs=1)
    assert [(hour.static_s, hour.ignored_s) for hour in counted] == [
        (hour.static_s, hour.ignored_s) for hour in watch.hours
    ]
    [shown] = found.to_payload().cameras
    assert (shown.static_s, shown.ignored_s) == (watch.total("static_s"), watch.total("ignored_s"))
    tracks = [{int(track.id, 16) for track in incident.tracks} for incident in found.incidents]
    assert tracks == [{1}, {3}]
    # Under a file without the area, the log gives back what it hid.
    assert {int(t.id, 16) for incident in other.incidents for t in incident.tracks} == {1, 2, 3}
