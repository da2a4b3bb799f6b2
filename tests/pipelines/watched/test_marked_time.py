"""What is ignored or marked stands beside a count, the same after analysis, replay and in the coverage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.record_incidents import record_incidents
from pipelines.replay import replay
from pipelines.watched.hours import count_missing, record_hours
from pipelines.watched.watches import find_watches
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


EVERYWHERE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
LEFT, RIGHT = norm((0, 0), (8, 0), (8, 12), (0, 12)), norm((8, 0), (16, 0), (16, 12), (8, 12))


@st.composite
def people(draw: st.DrawFn) -> Person:
    """A person or a statue who stands or walks, out of view for a time, and may be cut off by the frame."""
    begin, length = draw(st.integers(0, 60)), draw(st.integers(1, 240))
    x, y = draw(st.floats(1, 15)), draw(st.floats(3, 12))
    gap = draw(st.floats(0, 20))
    knots = [(begin, x, y), (begin + length, x + draw(st.sampled_from([0.0, 3.0])), y)]
    gaps = [(begin + length / 2, begin + length / 2 + gap)] if gap else []
    return Person(draw(st.integers(1, 10**6)), knots, gaps=gaps, extra={"face_change": None})


@settings(max_examples=15, deadline=None)
@given(
    st.lists(people(), min_size=1, max_size=4, unique_by=lambda person: person.track),
    st.sampled_from([2.0, 3.5, 5.0]),
    st.sampled_from([(), (LEFT,), (LEFT, RIGHT), (EVERYWHERE,)]),
    st.integers(1, 300),
)
def test_who_raises_nothing_is_a_part_of_all_who_are_in_view(
    tmp_path_factory: pytest.TempPathFactory, seen: list[Person], hz: float, ignore: tuple, until: int
) -> None:
    log, facility = observe(seen, hz=hz), scene(STORE, ignore=ignore, **RESIDENTS)
    home = Home(tmp_path_factory.mktemp("home"))
    log_home(home.path, facility, {"cam-1": log})
    with Ledger.open(home.ledger) as ledger:
        first = int(log["t"].dt.timestamp("us").min())  # type: ignore[arg-type]
        for window in ((None, None), (None, first + until * SECOND)):
            found = replay(home, ledger, facility, window=window)
            [watch] = found.watches(ledger)
            parts = [watch.total(name) for name in ("ignored_s", "static_s", "reflection_s")]
            whole = watch.total("person_s")
            # Each is rounded to milliseconds.
            assert sum(parts) <= whole + 0.002
            assert (len(ignore) != 2 and ignore != (EVERYWHERE,)) or parts == [whole, 0, 0]
            [shown] = found.to_payload().cameras
            assert [shown.ignored_s, shown.static_s, shown.reflection_s] == parts
