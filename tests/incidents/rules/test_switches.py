"""One person under two ids, out of sight between them, or not: what every rule makes of it."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from incidents.rules.engine import Advance, CameraRules
from incidents.rules.exposure import Exposure
from tests.incidents.rules.rule_scenes import (
    NOON,
    RESIDENTS,
    Person,
    Seen,
    box_zone,
    judge,
    line,
    norm,
    observe,
    scene,
    stay,
    tracks_of,
)
from zones.facility import Pair, Role, ZoneType

S = 1_000_000
CARE = box_zone("care", ZoneType.CARE_STATION, 2, 2, 9, 8)
NURSES = box_zone(
    "nurses", ZoneType.COMMON, 2, 5.5, 6.5, 6.5, origin_role=Role.STAFF_PPE, origin_confidence=0.9
)


def bare(second: float) -> str:
    return "unmasked" if abs(second - round(second)) < 1e-6 else "not_sampled"


MET = stay(7, 7, 6, 0, 30)
SCENES = {
    "zone": (scene(box_zone("z", ZoneType.STAFF_ONLY, 4, 4, 8, 8), **RESIDENTS), [stay(1, 6, 6, 0, 30)]),
    "line": (
        scene(line("l", ZoneType.PERIMETER, (8, 0), (8, 12)), **RESIDENTS),
        [Person(1, [(0, 2, 6), (25, 12, 6), (30, 12, 6)])],
    ),
    "one way": (
        scene(box_zone("w", ZoneType.ONE_WAY, 2, 4, 14, 8, toward=norm((15, 6))[0]), **RESIDENTS),
        [Person(1, [(0, 13, 6), (20, 5, 6), (30, 5, 6)])],
    ),
    "mask": (scene(**RESIDENTS), [stay(1, 6, 6, 0, 30, masks=bare)]),
    "contact": (scene(contact_pairs=(Pair.RESIDENT_RESIDENT,), **RESIDENTS), [stay(1, 5.5, 6, 0, 30), MET]),
    "gathering": (
        scene(contact_pairs=(), **RESIDENTS),
        [stay(1, 5.2, 6, 0, 90), *(stay(i, x, 6, 0, 90) for i, x in ((2, 7.0), (3, 8.8)))],
    ),
    "exposure": (scene(CARE, NURSES, **RESIDENTS), [stay(1, 5.5, 6, 0, 30), MET]),
}


def cut(person: Person, at: float, gap: float, ids: tuple[int, ...] = (1, 90)) -> list[Person]:
    """The person under one id up to a moment, and under another from `gap` seconds after it."""
    one = replace(person, track=ids[0], gaps=[(at, 1000.0)])
    two = replace(person, track=ids[1], gaps=[(-1000.0, at + gap)])
    return [one, two]


def run(place, people: list[Person]) -> Seen:
    return judge(place, observe(people, 5.0))


def exposed(entry: Exposure) -> tuple[int, ...]:
    return tuple(person.track for person in entry.people)


def about(result: Seen) -> list[tuple[object, ...]]:
    """What was found, without scores; exposures too."""
    return [
        *((f.kind, f.subkind, f.zone, tracks_of(f), f.start, f.end, f.severity) for f in result.findings),
        *((e.zone, exposed(e), e.start, e.end, e.held_s) for e in result.entries),
    ]


@pytest.mark.parametrize("gap", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("at", [4.0, 8.0, 18.0])
@pytest.mark.parametrize("kind", SCENES)
def test_a_change_of_the_track_id_changes_nothing_but_scores(kind, at, gap):
    place, people = SCENES[kind]
    whole = about(run(place, people))
    assert len(whole) == 1
    switched = about(run(place, [*cut(people[0], at, gap), *people[1:]]))
    if kind == "line":
        # The id is that under which it began; what happens unseen can only be dated to the next sight.
        ((*before, _, start, end, _),), ((*after, track, later, done, _),) = whole, switched
        assert (
            before == after
            and track == ((1,) if at == 18 else (90,))
            and 0 <= later - start <= 3.2 * S
            and 0 <= done - end <= 3.2 * S
        )
    else:
        assert switched == whole


@pytest.mark.parametrize("kind", SCENES)
def test_a_change_of_the_track_id_is_bridged_up_to_the_largest_gap_only(kind):
    """Out of sight for 3 s, a switch, and again 3 s: one episode; for longer than 3 s, never."""
    place, people = SCENES[kind]
    first, second = cut(people[0], 6.0, 3.0)
    both = [first, replace(second, gaps=[*second.gaps, (12.0, 15.0)])]
    kept = 3 if kind == "line" else 4
    assert [row[:kept] for row in about(run(place, [*both, *people[1:]]))] == [
        row[:kept] for row in about(run(place, people))
    ]
    apart = cut(people[0], 14.8, 3.4)
    result = run(place, [*apart, *people[1:]])
    for item in (*result.findings, *result.entries):
        # A gathering goes on with those who stay; in all else, each id has its own.
        assert not {1, 90} <= {person.track for person in item.people}
        if kind in ("zone", "contact", "exposure"):
            assert item.end <= NOON + 14.8 * S or item.start >= NOON + 18.2 * S


@pytest.mark.parametrize("kind", SCENES)
def test_a_state_saved_before_a_link_is_decided_carries_on(kind):
    place, people = SCENES[kind]
    seen = observe([*cut(people[0], 6.0, 3.0), *people[1:]], 5.0)
    rules = CameraRules(place, "cam-1")
    whole, parts = rules.advance(NOON + 400 * S, seen), Advance()
    rules, since = CameraRules(place, "cam-1"), NOON
    moment = pl.col("t").dt.timestamp("us")
    for until in (*(NOON + t * S for t in (7, 8, 9)), NOON + 9_400_000, NOON + 10 * S, NOON + 400 * S):
        more = rules.advance(until, seen.filter((moment >= since) & (moment < until)))
        parts.events += more.events
        parts.exposures += more.exposures
        rules, since = CameraRules.restore(rules.save(), place, "cam-1"), until
    assert (parts.events, parts.exposures) == (whole.events, whole.exposures)


@pytest.mark.parametrize("kind", ["zone", "contact", "exposure"])
def test_a_stay_under_three_ids_is_found_though_each_part_is_too_short(kind):
    place, people = SCENES[kind]
    first, rest = cut(people[0], 1.4, 1.0)
    second, third = cut(rest, 4.0, 2.0, (90, 91))
    second = replace(second, gaps=[*second.gaps, *rest.gaps])
    assert about(run(place, [first, second, third, *people[1:]])) == about(run(place, people))
