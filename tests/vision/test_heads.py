from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.devices import Device
from models.errors import ModelError
from models.registry import resolve
from vision.heads import (
    MIN_FACE_HEIGHT_PX,
    MIN_FACE_SCORE,
    Face,
    FaceFinder,
    Head,
    best_face,
    blurred,
    head_region,
    max_face_height,
    rejection_reason,
    yaw,
)


@given(
    st.floats(-50, 700),
    st.floats(-50, 500),
    st.floats(1, 400),
    st.floats(1, 600),
    st.integers(64, 640),
    st.integers(64, 480),
)
def test_the_head_region_lies_in_the_frame(
    x: float, y: float, w: float, h: float, width: int, height: int
) -> None:
    x1, y1, x2, y2 = head_region(np.array([x, y, x + w, y + h]), width, height)
    assert x1 >= 0 and x2 <= width and y1 >= 0 and y2 <= height


def test_the_head_region_of_a_standing_person_is_the_top_of_the_box() -> None:
    x1, y1, x2, y2 = head_region(np.array([100.0, 100.0, 200.0, 400.0]), 640, 480)
    assert (x1, x2) == (90, 211)
    assert y1 < 100 and 200 <= y2 <= 215


def test_only_near_people_can_have_a_face_that_is_large_enough() -> None:
    assert max_face_height(np.array([0.0, 0.0, 30.0, 80.0])) < MIN_FACE_HEIGHT_PX
    assert max_face_height(np.array([0.0, 0.0, 100.0, 300.0])) > MIN_FACE_HEIGHT_PX
    assert max_face_height(np.array([0.0, 0.0, 176.0, 144.0])) > 32


def head_points(degrees: float, roll: float = 0.0, pupils: float = 30.0) -> np.ndarray:
    """Landmarks of a head whose nose reaches half the distance of the pupils, turned and tilted."""
    turn = np.radians(degrees)
    half, down = pupils / 2 * np.cos(turn), pupils * 0.6
    points = np.array(
        [[-half, 0], [half, 0], [pupils / 2 * np.sin(turn), down], [-half, 2 * down], [half, 40]]
    )
    tilt = np.radians(roll)
    turned = points @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    return np.column_stack([turned + 100, np.ones(5)])


@given(st.floats(-85, 85), st.floats(-40, 40), st.floats(8, 200))
def test_yaw_is_read_from_the_nose_between_the_eyes_however_the_head_is_tilted(
    degrees: float, roll: float, pupils: float
) -> None:
    assert yaw(head_points(degrees, roll, pupils)) == pytest.approx(degrees, abs=0.01)


def test_eyes_at_the_same_point_are_a_profile() -> None:
    assert yaw(np.ones((5, 3))) == 90.0


def sharp(side: int = 100) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (side, side, 3)).astype(np.uint8)


def face(height: float, top: float = 20.0, degrees: float = 0.0, score: float = 0.9) -> Face:
    return Face(np.array([20.0, top, 20 + height * 0.8, top + height]), score, head_points(degrees))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (face(40), None),
        (face(MIN_FACE_HEIGHT_PX), None),
        (face(MIN_FACE_HEIGHT_PX - 0.1), "too_small"),
        (Face(np.array([20.0, 0.0, 80.0, 50.0]), 0.9, head_points(0)), "cut_off"),
        (face(40, degrees=59), None),
        (face(40, degrees=61), "turned"),
        (face(40, degrees=-61), "turned"),
    ],
)
def test_a_face_that_cannot_be_assessed_has_a_reason(found: Face, reason: str | None) -> None:
    assert rejection_reason(found, sharp()) == reason


def test_a_smooth_patch_is_blurred_and_a_textured_one_is_not() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    checks = (np.indices((64, 64)).sum(0) // 4 % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    assert blurred(ramp) and not blurred(checks)
    assert rejection_reason(face(40), np.repeat(np.repeat(ramp, 2, 0), 2, 1)) == "blurred"


def at(x1: float, y1: float, x2: float, y2: float, score: float = 0.8) -> Face:
    return Face(np.array([x1, y1, x2, y2]), score, head_points(0))


def test_the_central_face_is_the_best_one_and_a_weak_face_is_none() -> None:
    head = Head(np.zeros((200, 200, 3), np.uint8), (50, 50, 150, 150))
    own, neighbour = at(30, 20, 70, 70), at(72, 22, 97, 60)
    assert best_face([neighbour, own], head) is own
    assert best_face([at(30, 20, 70, 70, MIN_FACE_SCORE - 0.01)], head) is None
    assert best_face([], head) is None


def test_a_face_that_an_edge_of_the_region_cuts_counts_less_unless_the_frame_ends_there() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    cut = at(0, 20, 30, 60)
    inside, at_frame_edge = Head(image, (50, 50, 150, 150)), Head(image, (0, 50, 100, 150))
    assert inside.weighted_score(cut) < at_frame_edge.weighted_score(cut) == cut.score


def test_weights_without_a_face_class_are_refused() -> None:
    with pytest.raises(ModelError, match="expected weights of the kind pose"):
        FaceFinder(resolve("person"), Device("cpu"))
