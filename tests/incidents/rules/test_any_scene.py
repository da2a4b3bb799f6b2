"""The whole evaluation: properties that hold for any walk, notices, and the time that a long log takes."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from incidents.rules.events import Event, Finding
from tests.incidents.rules.rule_scenes import (
    NOON,
    Person,
    Seen,
    box_zone,
    judge,
    line,
    long_log,
    observe,
    roles_of,
    scene,
    stay,
    tracks_of,
)
from vision.observations import empty
from zones.facility import Pair, Role, ZoneType

S = 1_000_000
HYSTERESIS_M = 0.3
FACILITY = scene(
    box_zone("store", ZoneType.STAFF_ONLY, 6, 4, 10, 8),
    box_zone("table", ZoneType.EXEMPT, 11, 9, 14, 11),
    # A person whose track begins at the top is staff without PPE.
    box_zone("office", ZoneType.COMMON, 0, 0, 16, 2.5, origin_role=Role.STAFF_NO_PPE, origin_confidence=0.9),
    line("gate", ZoneType.GATE, (13, 0), (13, 12)),
    default_role=Role.RESIDENT,
    default_role_confidence=0.8,
    contact_pairs=tuple(Pair),
)


def run(observations: pl.DataFrame, facility=FACILITY) -> Seen:
    return judge(facility, observations)


def moved(finding: Finding, shift: int) -> Finding:
    return replace(
        finding,
        start=finding.start + shift,
        end=finding.end + shift,
        opened=finding.opened + shift,
        alerts=tuple(t + shift for t in finding.alerts),
    )


def vote(state: str):
    """Assessed twice a second, whatever the frame rate."""
    return lambda second: state if abs(second * 2 - round(second * 2)) < 1e-6 else "not_sampled"


states = st.sampled_from(["masked", "unmasked", "incorrect", "turned"])
places = st.tuples(st.floats(1, 15), st.floats(2, 11.5))


@st.composite
def people(draw, most: int = 4) -> list[Person]:
    """People who walk about for up to 40 s, with gaps."""
    found = []
    for track in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, 50)) / 5
        spots = draw(st.lists(places, min_size=2, max_size=5))
        knots = [(start + 8.0 * i, *spot) for i, spot in enumerate(spots)]
        gap = draw(st.sampled_from([0.0, 1.0, 3.0, 5.0]))
        found.append(
            Person(100 + track, knots, gaps=[(start + 4, start + 4 + gap)], masks=vote(draw(states)))
        )
    return found


quick = settings(max_examples=30, deadline=None)


@quick
@given(people())
def test_the_same_observations_give_the_same_result(group):
    observations = observe(group)
    assert run(observations) == run(observations)


@quick
@given(people(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(group, random):
    table = observe(group)
    rows = list(range(len(table)))
    random.shuffle(rows)
    assert run(table[rows]) == run(table)


@quick
@given(people(), st.integers(-40, 40), st.integers(0, 10**6))
def test_a_shift_in_time_shifts_the_findings(group, days, micros):
    # Whole days, and less than a second: the curfew is by the clock.
    shift = days * 86_400 * S + micros
    before, after = run(observe(group)), run(observe(group, start=NOON + shift))
    names = {one.incident: moved(one.finding, shift).id for one in before.events}
    shifted = [
        replace(
            one,
            t=one.t + shift,
            finding=moved(one.finding, shift),
            replaces=tuple(names[name] for name in one.replaces),
            replaced_by=one.replaced_by and names[one.replaced_by],
        )
        for one in before.events
    ]

    def order(event: Event) -> tuple[object, ...]:
        # Of incidents that are due at one moment, the order depends on the ids.
        return event.t, event.incident

    assert sorted(after.events, key=order) == sorted(shifted, key=order)
    assert after.notices == before.notices


@quick
@given(people(), st.randoms(use_true_random=False))
def test_other_track_ids_change_nothing_but_the_ids(group, random):
    names = [3, 2**62 + 5, 70, 1][: len(group)]
    random.shuffle(names)
    new = dict(zip([person.track for person in group], names, strict=True))
    before = run(observe(group)).findings
    after = run(observe([replace(person, track=new[person.track]) for person in group])).findings

    def renamed(finding: Finding) -> Finding:
        people = sorted(
            (replace(one, track=new[one.track]) for one in finding.people), key=lambda one: one.track
        )
        identity = sorted(new[track] for track in finding.identity)
        return replace(finding, people=tuple(people), identity=tuple(identity))

    def comparable(findings) -> list[str]:
        # Of those who make a gathering from its beginning, the smallest id makes its identity.
        return sorted(str(replace(f, identity=() if f.kind == "gathering" else f.identity)) for f in findings)

    assert comparable(map(renamed, before)) == comparable(after)


@quick
@given(
    st.sampled_from([0.4, 1.4, 4.0, 12.0]), st.sampled_from([0.4, 6.0, 14.0]), st.sampled_from([0.4, 4.0]),
    states, st.sampled_from(range(2, 31, 2)), st.floats(0, 0.9),
)  # fmt: skip
def test_any_frame_rate_gives_the_same_findings_within_a_step(inside, near, beyond, state, hz, offset):
    leave = 4 + inside + offset
    group = [
        # Into the staff's store, at once, and out again.
        Person(1, [(0, 4, 6), (3.99 + offset, 4, 6), (4 + offset, 7, 6), (leave, 7, 6),
                   (leave + 0.01, 4, 6), (40, 4, 6)], masks=vote(state)),
        # A person from the office walks up to a resident, and away.
        stay(2, 1, 10.5, 0, 40),
        Person(3, [(0, 1, 1), (5 + offset, 1, 6), (5.01 + offset, 1, 9.5), (5 + near + offset, 1, 9.5),
                   (5.01 + near + offset, 1, 4), (40, 1, 4)]),
        # Out of the gate, and back when not for long.
        Person(4, [(0, 12, 6), (9 + offset, 12, 6), (9.01 + offset, 14, 6), (9 + beyond + offset, 14, 6),
                   (9.01 + beyond + offset, 14 if beyond > 1 else 12, 6), (40, 14 if beyond > 1 else 12, 6)]),
    ]  # fmt: skip
    fine, coarse = run(observe(group, 30)).findings, run(observe(group, hz)).findings

    def what(findings):
        return sorted((f.kind, f.subkind, f.zone or "", tracks_of(f), f.severity) for f in findings)

    assert what(coarse) == what(fine)
    kinds = {f.zone or f.kind for f in fine}
    # At least the shortest stays are too short and the longest long enough, so that this is no empty claim.
    assert ("store" in kinds) == (inside >= 4) and ("contact" in kinds) == (near >= 14)
    assert ("gate" in kinds) == (beyond >= 4) and ("mask_absent" in kinds) == (state == "unmasked")
    step = S / hz
    by_name = {(f.kind, f.zone, tracks_of(f)): f for f in coarse}
    for one in fine:
        other = by_name[(one.kind, one.zone, tracks_of(one))]
        assert abs(other.start - one.start) <= step
        # The dwell of a line ends with a sample after one that is itself up to a step late.
        assert abs(other.end - one.end) <= (2 if one.subkind == "line_crossing" else 1) * step


@quick
@given(st.floats(0, HYSTERESIS_M * 0.99), st.integers(0, 2**32 - 1), st.sampled_from([2.0, 5.0, 30.0]))
def test_jitter_below_the_hysteresis_never_adds_a_finding(amplitude, seed, hz):
    rng = np.random.default_rng(seed)

    def jitter(at):
        angle, radius = rng.uniform(0, 2 * np.pi, len(at)), amplitude * np.sqrt(rng.uniform(0, 1, len(at)))
        return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])

    group = [
        stay(1, 5.999, 6, 0, 60, jitter=jitter),  # at the store's edge, just outside
        Person(2, [(0, 5.5, 8.01), (30, 10.5, 8.01), (60, 5.5, 8.01)], jitter=jitter),  # along it
        stay(3, 13, 6, 0, 60, jitter=jitter),  # on the gate's line
        Person(4, [(0, 13.1, 3), (60, 13.1, 11)], jitter=jitter),  # along it
    ]
    assert [f for f in run(observe(group, hz)).findings if f.kind == "zone_crossing"] == []
    inside = stay(5, 7, 6, 0, 60, jitter=jitter)
    (finding,) = run(observe([inside], hz)).findings
    assert (finding.start, finding.end) == (NOON, NOON + 60 * S)


@quick
@given(st.floats(3.3, 20), st.integers(2, 6), st.sampled_from([5.0, 10.0]))
def test_stays_that_are_too_short_do_not_add_up_over_gaps(gap, pieces, hz):
    # Each piece is shorter than the dwell of the store (2 s) and of a contact (10 s).
    gap = round(gap * hz) / hz + 1 / hz

    def seen(track: int, x: float, y: float, piece: float) -> Person:
        cuts = [(i * (piece + gap) + piece, (i + 1) * (piece + gap)) for i in range(pieces)]
        return stay(track, x, y, 0, pieces * (piece + gap) - gap, gaps=cuts)

    assert run(observe([seen(1, 8, 6, 1.8)], hz)).findings == ()
    assert run(observe([seen(1, 3, 6, 9.6), seen(2, 4, 6, 9.6)], hz)).findings == ()


@quick
@given(people(most=1), st.integers(0, 60), st.sampled_from([2.0, 5.0, 15.0, 30.0]))
def test_two_wrong_samples_never_raise_a_finding(group, at, hz):
    # Without zones of origin: a flicker where a track begins rightly casts doubt on where it came from.
    store, gate = FACILITY.cameras[0].zones[0], FACILITY.cameras[0].lines[0]
    # A person who stays on the left, away from both.
    person = replace(group[0], masks=None, knots=[(second, x / 3, y) for second, x, y in group[0].knots])
    calm = observe([person], hz)
    assume(at + 2 <= len(calm))
    flicker = pl.int_range(pl.len()).is_between(at, at + 1)
    for x in (8, 14):  # two wild boxes: in the staff's store, or beyond the gate
        wild = calm.with_columns(
            pl.when(flicker).then(pl.lit(metres * 80.0)).otherwise(name).cast(pl.Float32).alias(name)
            for name, metres in (("foot_x", x), ("foot_y", 6))
        )
        assert run(wild, scene(store, gate, default_role=Role.RESIDENT)).findings == ()


def test_events_are_in_order_and_notices_are_complete():
    facility = scene(
        line("gate", ZoneType.GATE, (13, 0), (13, 12)),
        line("lane", ZoneType.ONE_WAY, (1, 0), (1, 12)),
        calibrated=False,
    )
    group = [
        Person(i, [(i, 10, 4 + i), (i + 4, 15, 4 + i), (i + 9, 15, 4 + i)], masks=vote("unmasked"))
        for i in range(3)
    ]
    result = run(observe(group), facility)
    moments = [event.t for event in result.events]
    assert moments == sorted(moments) and len(result.findings) == 6
    assert result.notices == (
        "camera cam-1: lane (one_way) denies no role anything: it never raises an incident",
        "camera cam-1 is uncalibrated (no calibration points): contact is not evaluated",
        "camera cam-1 is uncalibrated (no calibration points): gathering is not evaluated",
    )


def test_no_observations_give_no_findings():
    assert run(empty()) == Seen((), (), (), ())


def test_a_stay_under_several_track_ids_is_one_finding():
    group = [stay(9, 8, 6, 0, 20), stay(4, 8.2, 6, 21, 40), stay(5, 8, 6.2, 43, 60)]
    (finding,) = run(observe(group)).findings
    assert (finding.identity, finding.end - finding.start) == ((9,), 60 * S)


def test_roles_come_from_the_facility():
    group = [stay(1, 4, 10, 0, 20), Person(2, [(0, 5, 1), (5, 5, 10), (20, 5, 10)])]
    (finding,) = run(observe(group)).findings
    assert (finding.kind, roles_of(finding)) == ("contact", ("resident", "staff_no_ppe"))
    # That of the resident is the camera's default only, so that the contact is not severe.
    assert finding.severity == "medium"


def test_a_long_log_takes_time_in_proportion_to_its_length(record_property):
    """A tenth of a camera's day, 3 people at 5 frames/s; comparing all with all would fail by far."""

    def per_row(hours: float) -> float:
        log = long_log(hours)
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            result = run(log)
            times.append(time.perf_counter() - begin)
        assert result.findings
        record_property(f"rows_per_second_{hours:g}_h", round(len(log) / min(times)))
        return min(times) / len(log)

    assert per_row(2.4) < 4 * per_row(0.3)
