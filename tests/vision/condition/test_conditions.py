"""What pictures tell about their camera, on real footage that is altered by known amounts."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.running import LOBBY, YARD
from tools import altered_footage as footage
from tools import camera_condition as measuring
from tools.altered_footage import ALTERATIONS, UNALTERED, Clip, noisy, nothing, reduce, watched
from tools.camera_condition import START, play
from vision.condition.monitor import Condition, ConditionMonitor
from vision.frames import SECOND

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
FOOTAGE = [
    YARD,
    LOBBY,
    *(SHARED / "videos" / f"{name}.mp4" for name in ("atrium", "corridor_masked_fisheye", "entrance_crowd")),
    SHARED / "videos" / "room_one_by_one.mp4",
    SHARED / "pets2009" / "vtest.avi",
]
BEFORE_S, ALTERED_S, AFTER_S = 60, 75, 60
WITHIN_S = 60


@pytest.fixture(scope="module")
def yard() -> Clip:
    return Clip(YARD)


@pytest.fixture(scope="module")
def still() -> np.ndarray:
    """One picture of the yard, 192 px wide."""
    return reduce(watched(Clip(YARD).at(0)))


def clip_of(path: Path) -> Clip:
    if not path.exists():
        pytest.skip(f"needs {path}, which is beside the project")
    return Clip(path)


def states(monitor: ConditionMonitor, pictures: Iterable[tuple[int, np.ndarray]]) -> list[Condition]:
    return [monitor.update(t, picture) for t, picture in pictures]


def raised(conditions: list[Condition]) -> set[str | None]:
    return {condition.state for condition in conditions}


def noise_over(
    picture: np.ndarray, seconds: float, begin_s: float = 0, sigma: float = 1.0, rate: float = 5
) -> Iterable[tuple[int, np.ndarray]]:
    rng = np.random.default_rng(round(begin_s))
    for number in range(round(seconds * rate)):
        yield START + round((begin_s + number / rate) * SECOND), noisy(picture, sigma, rng)


def told(clip: Clip, alteration: footage.Alteration) -> measuring.Told:
    return measuring.alter_and_tell(clip, alteration, lengths=(BEFORE_S, ALTERED_S, AFTER_S))


@pytest.mark.parametrize("alteration", ALTERATIONS, ids=lambda alteration: alteration.name)
def test_an_impaired_camera_is_told_within_a_minute(yard: Clip, alteration: footage.Alteration) -> None:
    result = told(yard, alteration)
    assert result.state in alteration.states
    assert result.raised_s is not None and result.raised_s <= WITHIN_S
    assert result.ended_s is not None and result.ended_s <= WITHIN_S
    assert result.others == ()
    assert any(character.isdigit() for character in result.cause), result.cause
    # From when it is in force is known to a few seconds, although it was told later.
    assert result.since_s is not None and abs(result.since_s) <= 6


@pytest.mark.parametrize(
    "path",
    [LOBBY, *(pytest.param(path, marks=pytest.mark.slow) for path in FOOTAGE[2:])],
    ids=lambda path: path.stem,
)
@pytest.mark.parametrize(
    "alteration", [a for a in ALTERATIONS if a.name in footage.PLAIN], ids=lambda alteration: alteration.name
)
def test_other_cameras_are_told_alike(path: Path, alteration: footage.Alteration) -> None:
    result = told(clip_of(path), alteration)
    assert result.state in alteration.states
    assert result.raised_s is not None and result.raised_s <= WITHIN_S
    assert result.ended_s is not None and result.ended_s <= WITHIN_S


@pytest.mark.parametrize("number", range(4))
def test_a_held_picture_is_frozen(yard: Clip, number: int) -> None:
    name, stills = list(measuring.held(yard, ALTERED_S).items())[number]
    result = measuring.hold_and_tell(yard, stills(), lengths=(BEFORE_S, ALTERED_S, AFTER_S))
    assert (result.state, result.others) == ("frozen", ()), name
    assert result.raised_s is not None and result.raised_s <= WITHIN_S
    assert result.ended_s is not None and result.ended_s <= WITHIN_S
    assert result.since_s is not None and abs(result.since_s) <= 6


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0])
def test_a_quiet_corridor_is_not_frozen(still: np.ndarray, sigma: float) -> None:
    assert raised(states(ConditionMonitor(), noise_over(still, 300, sigma=sigma))) == {None}


def test_a_quiet_corridor_whose_noise_the_encoder_skips_is_not_frozen(yard: Clip) -> None:
    rng = np.random.default_rng(0)
    scene = watched(yard.at(0))
    # At the working size the noise is weaker by the reduction that follows.
    noise = [noisy(scene, 1.5, rng) for _ in range(150 * footage.RATE)]
    decoded = footage.encoded(noise, {"crf": "30"}, group_s=20)
    pictures = ((START + n * SECOND // footage.RATE, reduce(picture)) for n, picture in enumerate(decoded))
    assert raised(states(ConditionMonitor(), pictures)) == {None}


def test_a_camera_that_comes_back_to_the_same_quiet_view_is_no_longer_frozen(still: np.ndarray) -> None:
    monitor = ConditionMonitor()
    states(monitor, noise_over(still, 60))
    held = states(monitor, noise_over(still, 70, 60, sigma=0.0))
    assert held[-1].state == "frozen"
    back = states(monitor, noise_over(still, 60, 130, sigma=0.3))
    assert back[-1].state is None


def test_the_same_picture_after_a_gap_is_not_frozen(still: np.ndarray) -> None:
    monitor = ConditionMonitor()
    states(monitor, noise_over(still, 30))
    assert monitor.update(START + 30 * SECOND, still).state is None
    assert monitor.update(START + 600 * SECOND, still).state is None


@pytest.mark.parametrize("plain", [False, True])
def test_who_stands_before_the_lens_for_20_s_does_not_cover_it(yard: Clip, plain: bool) -> None:
    rng = np.random.default_rng(3)

    def stands(picture: np.ndarray, s: float, _: np.random.Generator) -> np.ndarray:
        seen = watched(picture).astype(np.float32)
        width = seen.shape[1]
        x = round((0.08 + 0.01 * np.sin(s)) * width)
        seen[:, x : x + round(0.8 * width)] = 60 if plain else cloth[:, : round(0.8 * width)]
        return seen

    cloth = 70 + 40 * np.sign(cv2.GaussianBlur(rng.normal(0, 1, watched(yard.at(0)).shape), (0, 0), 4))
    monitor = ConditionMonitor()
    states(monitor, play(yard, nothing, 0, 60, 1.0, 0))
    assert raised(states(monitor, play(yard, stands, 300, 20, 1.0, 1))) == {None}
    assert raised(states(monitor, play(yard, nothing, 400, 60, 1.0, 2))) == {None}


def test_a_door_that_stays_open_does_not_move_the_view(yard: Clip) -> None:
    def opened(picture: np.ndarray, s: float, _: np.random.Generator) -> np.ndarray:
        seen = watched(picture).copy()
        height, width = seen.shape
        door = cv2.flip(seen, 1)[: round(0.9 * height), : round(0.3 * width)]
        seen[: door.shape[0], : door.shape[1]] = door
        return seen

    monitor = ConditionMonitor()
    states(monitor, play(yard, nothing, 0, 60, 1.0, 0))
    assert raised(states(monitor, play(yard, opened, 300, 300, 1.0, 1))) == {None}
    assert raised(states(monitor, play(yard, nothing, 1800, 120, 1.0, 2))) == {None}


@pytest.mark.parametrize("change", UNALTERED, ids=lambda change: change.name)
def test_light_and_shaking_impair_nothing(yard: Clip, change: footage.Alteration) -> None:
    alarms, _ = measuring.false_alarms(yard, change, hours=0.5)
    assert alarms == []


@pytest.mark.slow
@pytest.mark.parametrize("path", FOOTAGE, ids=lambda path: path.stem)
@pytest.mark.parametrize("change", [UNALTERED[0], UNALTERED[3]], ids=lambda change: change.name)
def test_an_hour_of_each_clip_impairs_nothing(path: Path, change: footage.Alteration) -> None:
    alarms, _ = measuring.false_alarms(clip_of(path), change, hours=1)
    assert alarms == []


def test_a_camera_that_begins_covered_does_not_take_the_cover_for_its_view(yard: Clip) -> None:
    monitor = ConditionMonitor()
    assert states(monitor, play(yard, footage.hand(1.0), 0, 120, 1.0, 0))[-1].state == "covered"
    later = states(monitor, play(yard, nothing, 600, 120, 1.0, 1))
    assert later[-1].state is None
    assert states(monitor, play(yard, footage.moving(x=0.1), 1200, 60, 1.0, 2))[-1].state == "moved"


def test_a_moved_camera_is_told_by_night_as_well(still: np.ndarray) -> None:
    night = np.clip(footage.infrared_light(still), 0, 255).astype(np.uint8)
    monitor = ConditionMonitor()
    states(monitor, noise_over(still, 120))
    assert raised(states(monitor, noise_over(night, 600, 120))) == {None}
    moved = np.roll(night, 20, axis=1)
    conditions = states(monitor, noise_over(moved, 60, 720))
    assert conditions[-1].state == "moved"
    assert "to the right" in conditions[-1].cause


def test_a_camera_that_sags_slowly_is_told(yard: Clip) -> None:
    wide = yard.at(0)
    monitor = ConditionMonitor()
    found = None
    for minute in range(40):
        seen = reduce(watched(wide, y=minute * 0.004))
        found = states(monitor, noise_over(seen, 60, minute * 60, rate=2))[-1]
        if found.state:
            break
    assert found is not None and found.state == "moved"
    # Before a tenth of the picture is lost.
    assert minute * 0.004 <= 0.05


def test_an_engineer_accepts_the_new_view(still: np.ndarray) -> None:
    moved = np.roll(still, 25, axis=1)
    monitor = ConditionMonitor()
    states(monitor, noise_over(still, 60))
    assert states(monitor, noise_over(moved, 60, 60))[-1].state == "moved"
    monitor.accept_view()
    assert raised(states(monitor, noise_over(moved, 120, 120))) == {None}
    assert states(monitor, noise_over(still, 60, 240))[-1].state == "moved"


def test_a_view_without_edges_can_be_accepted(still: np.ndarray) -> None:
    wall = np.full_like(still, 180)
    monitor = ConditionMonitor()
    assert states(monitor, noise_over(wall, 60))[-1].state == "covered"
    monitor.accept_view()
    assert raised(states(monitor, noise_over(wall, 120, 60))) == {None}


def test_a_restart_goes_on_as_if_there_had_been_none(yard: Clip) -> None:
    pictures = [
        *play(yard, nothing, 0, 60, 1.0, 0),
        *play(yard, footage.moving(x=0.1), 300, 55, 1.0, 1),
        *play(yard, nothing, 575, 45, 1.0, 2),
    ]
    whole, states_of_whole = ConditionMonitor(), []
    for t, picture in pictures:
        states_of_whole.append(whole.update(t, picture))
    assert raised(states_of_whole) == {None, "moved"}

    monitor, states_of_parts = ConditionMonitor(), []
    for number, (t, picture) in enumerate(pictures):
        if number % 47 == 0:
            file = io.BytesIO()
            np.savez(file, **monitor.state())
            file.seek(0)
            monitor = ConditionMonitor()
            with np.load(file, allow_pickle=False) as saved:
                monitor.restore({name: saved[name] for name in saved.files})
        states_of_parts.append(monitor.update(t, picture))
    assert states_of_parts == states_of_whole


def test_a_condition_stays_over_a_gap_until_pictures_say_otherwise(still: np.ndarray) -> None:
    moved = np.roll(still, 25, axis=1)
    monitor = ConditionMonitor()
    states(monitor, noise_over(still, 60))
    before = states(monitor, noise_over(moved, 60, 60))[-1]
    assert raised(states(monitor, noise_over(moved, 60, 3600))) == {"moved"}
    assert states(monitor, noise_over(moved, 1, 3660))[-1].since == before.since
    assert states(monitor, noise_over(still, 60, 7200))[-1].state is None


@pytest.mark.parametrize("rate", [0.5, 1, 2])
def test_few_pictures_a_second_are_enough(still: np.ndarray, rate: float) -> None:
    monitor = ConditionMonitor()
    assert raised(states(monitor, noise_over(still, 120, rate=rate))) == {None}
    assert states(monitor, noise_over(np.roll(still, 20, axis=0), 60, 120, rate=rate))[-1].state == "moved"
    assert states(monitor, noise_over(still, 60, 180, rate=rate))[-1].state is None


def test_another_stream_of_the_camera_is_the_same_view(still: np.ndarray) -> None:
    small = cv2.resize(
        still, (160, round(160 * still.shape[0] / still.shape[1])), interpolation=cv2.INTER_AREA
    )
    monitor = ConditionMonitor()
    states(monitor, noise_over(still, 60))
    conditions = states(monitor, noise_over(small, 120, 60))
    assert raised(conditions) <= {None, "blurred"} and "moved" not in raised(conditions)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((108, 192, 3), np.uint8), np.zeros((108, 192), np.float32), np.zeros((20, 192), np.uint8)],
)
def test_a_picture_of_another_form_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected luma of height x width, uint8"):
        ConditionMonitor().update(START, picture)
