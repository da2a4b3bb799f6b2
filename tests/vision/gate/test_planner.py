"""The plan of each frame: who moves is detected at once, who keeps still at least once a second."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames import SECOND, Frame
from vision.gate.people import Update
from vision.gate.planner import (
    FULL_FRAME_S,
    DetectionPlan,
    Gate,
    GateSettings,
    full_frame_scales,
)

SIZE = (640, 360)
START = 10**15
NONE = np.zeros((0, 4))
noise = np.random.default_rng(0)
SCENE = np.clip(noise.normal(110, 30, (36, 64, 3)), 0, 255).astype(np.uint8).repeat(10, 0).repeat(10, 1)


def frame(n: int, *people: np.ndarray, scene: np.ndarray = SCENE) -> Frame:
    image = scene + noise.integers(0, 5, scene.shape, np.uint8)
    for x1, y1, x2, y2 in np.array(people, int).reshape(-1, 4):
        image[y1:y2, x1:x2] = 15
    return Frame(image, START + n * SECOND // 5, n, "hall")


def person(x: float, y: float = 100, height: float = 100) -> np.ndarray:
    return np.array([x, y, x + 0.4 * height, y + height])


def run(
    gate: Gate,
    where: Callable[[int], list[np.ndarray]],
    frames: range,
    *,
    late: bool = True,
    checked: bool = True,
) -> list[DetectionPlan]:
    """Play frames through a gate, with a detector that finds the people in the parts that it is given."""
    plans: list[DetectionPlan] = []
    waiting: list[Update | None] = []
    for n in frames:
        plan = gate.plan(frame(n, *where(n)))
        if late and waiting:
            gate.tracked(waiting.pop())
        parts = plan.boxes()
        found = [
            (k, box)
            for k, box in enumerate(where(n))
            if parts is None
            or ((parts[:, :2] <= box[:2]).all(axis=1) & (parts[:, 2:] >= box[2:]).all(axis=1)).any()
        ]
        rows = np.array([box for _, box in found]).reshape(-1, 4)
        gate.detected(rows, NONE)
        ids = np.array([k for k, _ in found], np.int64)
        update = Update(START + n * SECOND // 5, ids, rows, np.full(len(ids), checked))
        waiting.append(None if plan.empty else update)
        if not late:
            gate.tracked(waiting.pop())
        plans.append(plan)
    if waiting:
        gate.tracked(waiting.pop())
    return plans


def holds(plan: DetectionPlan, box: np.ndarray) -> bool:
    parts = plan.boxes()
    if parts is None:
        return True
    return bool(((parts[:, :2] <= box[:2]).all(axis=1) & (parts[:, 2:] >= box[2:]).all(axis=1)).any())


def gate() -> Gate:
    return Gate(GateSettings(), 5.0, 416)


def test_the_first_frame_is_detected_in_as_a_whole_at_every_scale() -> None:
    [plan] = run(gate(), lambda n: [], range(1))
    assert plan.scales == (416, 640)


def test_nothing_is_detected_in_an_empty_room_but_the_whole_from_time_to_time() -> None:
    plans = run(gate(), lambda n: [], range(300))
    assert sum(not plan.empty for plan in plans[25:]) <= 275 / 5 / FULL_FRAME_S + 3
    assert any(plan.scales for plan in plans[25:])


def test_a_person_who_walks_is_detected_in_every_frame() -> None:
    def walk(n: int) -> list[np.ndarray]:
        return [person(20 + 8 * (n - 20))] if n >= 20 else []

    plans = run(gate(), walk, range(80))
    assert all(holds(plan, walk(n)[0]) for n, plan in enumerate(plans) if n >= 22)


@pytest.mark.parametrize("checked", [True, False])
def test_a_person_who_keeps_still_is_detected_every_second_and_at_full_rate_while_undecided(
    checked: bool,
) -> None:
    box = person(300)
    plans = run(gate(), lambda n: [box], range(450), checked=checked)
    given = [n for n, plan in enumerate(plans) if holds(plan, box)]
    assert np.diff(given).max() <= 5, "at least once a second"
    late = [n for n in given if n >= 100]
    share = len(late) / 350
    assert share <= 0.3 if checked else share == 1.0


def test_two_people_near_each_other_are_detected_at_full_rate() -> None:
    near = run(gate(), lambda n: [person(250), person(350)], range(200))
    apart = run(gate(), lambda n: [person(20), person(560)], range(200))
    assert all(not plan.empty for plan in near)
    assert sum(not plan.empty for plan in apart[100:]) <= 40


def test_what_a_region_cuts_off_is_given_more_room() -> None:
    tested, box = gate(), person(300)
    run(tested, lambda n: [], range(10))
    tested.plan(frame(10))
    tested.detected(NONE, box[None])
    tested.tracked(None)
    plan = tested.plan(frame(11))
    assert holds(plan, box + np.array([-40, -40, 40, 40]))


def test_rain_that_never_shows_a_person_is_detected_in_once_a_second() -> None:
    def rainy(n: int) -> Frame:
        scene = SCENE.copy()
        for _ in range(150):
            x, y = noise.integers(0, 630), noise.integers(0, 320)
            scene[y : y + 30, x : x + 6] //= 2
        return frame(n, scene=scene)

    tested, given = gate(), []
    for n in range(300):
        plan = tested.plan(rainy(n))
        tested.detected(NONE, NONE)
        tested.tracked(None)
        given.append(not plan.empty)
    assert sum(given[150:]) <= 0.35 * 150


def test_more_than_the_budget_is_never_given_as_regions() -> None:
    def crowd(n: int) -> list[np.ndarray]:
        return [person(15 + 60 * k, 20 + (n + 17 * k) % 200, 90) for k in range(10)]

    plans = run(gate(), crowd, range(60))
    assert {plan.scales for plan in plans[20:]} >= {(416,)}
    assert all(plan.packed.pixels < 416 * 256 for plan in plans if plan.packed is not None)


def test_without_a_gate_every_frame_is_detected_in_as_a_whole() -> None:
    plans = run(Gate(GateSettings(on=False), 5.0, 416), lambda n: [], range(20))
    assert {plan.scales for plan in plans} == {(416,)}


def test_without_a_gate_the_state_does_not_grow() -> None:
    tested = Gate(GateSettings(on=False), 5.0, 416)
    run(tested, lambda n: [person(100)], range(20))
    early = sum(array.nbytes for array in tested.state().values())
    run(tested, lambda n: [person(100)], range(20, 200))
    assert sum(array.nbytes for array in tested.state().values()) == early


def test_light_that_flickers_costs_no_more_than_one_whole_picture_a_frame() -> None:
    dark = SCENE[:, ::-1] // 3
    tested, plans = gate(), []
    for n in range(50):
        plans.append(tested.plan(frame(n, scene=dark if n % 2 else SCENE)))
        tested.detected(NONE, NONE)
        tested.tracked(None)
    # At several scales at the start alone, for ten seconds.
    assert [len(plan.scales) for plan in plans] == [2] + [1] * 49


def test_a_crowd_of_small_people_is_seen_at_a_larger_scale_where_the_budget_allows() -> None:
    def crowd(n: int) -> list[np.ndarray]:
        return [person(15 + 40 * k, 20 + (n + 17 * k) % 200, 30) for k in range(14)]

    rich, poor = GateSettings(pixels_per_second=2e6), GateSettings(pixels_per_second=0.6e6)
    for chosen, side in ((rich, 640), (poor, 416)):
        plans = run(Gate(chosen, 5.0, 416), crowd, range(49))
        assert {max(plan.scales) for plan in plans[30:] if plan.scales} == {side}


def test_a_small_picture_is_detected_in_as_a_whole_where_a_person_walks() -> None:
    tested = gate()
    small = np.zeros((240, 320, 3), np.uint8) + 90

    def shown(n: int, x: int) -> Frame:
        image = small + noise.integers(0, 5, small.shape, np.uint8)
        image[100:140, x : x + 16] = 10
        return Frame(image, START + n * SECOND // 5, n, "hall")

    plans = []
    for n in range(60):
        plans.append(tested.plan(shown(n, 40 + 3 * n)))
        tested.detected(np.array([[40 + 3 * n, 100, 56 + 3 * n, 140]], float), NONE)
        tested.tracked(None)
    assert not any(plan.regions for plan in plans)
    assert sum(plan.scales == (416,) for plan in plans[3:]) > 50


def test_the_finer_scales_take_turns_while_no_person_is_in_view() -> None:
    scene = np.clip(noise.normal(110, 30, (72, 128, 3)), 0, 255).astype(np.uint8).repeat(10, 0).repeat(10, 1)

    def full(people: int) -> list[tuple[int, ...]]:
        tested, found = gate(), []
        boxes = np.array([[600, 300, 620, 350]], float)[:people]
        for n in range(5 * 45):
            shown = frame(n, *boxes.astype(int), scene=scene)
            plan = tested.plan(shown)
            tested.detected(boxes, NONE)
            ids = np.arange(people)
            tested.tracked(None if plan.empty else Update(shown.t, ids, boxes, np.ones(people, bool)))
            found += [plan.scales] if len(plan.scales) > 1 else []
        return found

    assert full(people=0) == [(416, 640, 960, 1280), (416, 960), (416, 1280), (416, 640), (416, 960)]
    assert all(len(scales) > 2 for scales in full(people=1))


positions = st.lists(st.tuples(st.integers(0, 580), st.integers(0, 240)), min_size=30, max_size=30)


@settings(max_examples=15, deadline=None)
@given(positions, st.integers(1, 28))
def test_plans_depend_neither_on_when_tracking_ends_nor_on_a_restart(
    places: list[tuple[int, int]], cut: int
) -> None:
    def where(n: int) -> list[np.ndarray]:
        return [person(*places[n], 100), person(*places[n // 10])]

    def plans(*, late: bool, restart: bool) -> list[DetectionPlan]:
        global noise
        noise = np.random.default_rng(1)
        first = gate()
        made = run(first, where, range(cut), late=late)
        second = gate() if restart else first
        if restart:
            second.restore(first.state())
        return made + run(second, where, range(cut, 30), late=late)

    whole = plans(late=True, restart=False)
    assert plans(late=False, restart=False) == whole
    assert plans(late=True, restart=True) == whole


def test_the_scales_suit_the_picture_and_the_smallest_person() -> None:
    assert full_frame_scales((1920, 1080), 416) == (416, 640, 960, 1280)
    assert full_frame_scales((320, 240), 416) == (416,)
    assert full_frame_scales((1920, 1080), 416, smallest=400) == (416,)
    assert full_frame_scales((1920, 1080), 416, smallest=100) == (416, 640, 960)
    assert full_frame_scales((1920, 1080), 640, smallest=100) == (640, 960)
