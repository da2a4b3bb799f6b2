from __future__ import annotations

import cv2
import numpy as np
import pytest

from incidents.evidence.keyframe import INVOLVED, OTHER, OUTLINE, Outline, Person, draw, to_jpeg

SIZES = [(768, 576), (1920, 1080), (352, 288)]
TITLE = "Suspected violation: contact (staff resident), high - hall-2 - 2026-11-24 08:00:03 +07:00"
ZONE = Outline(((0.1, 0.3), (0.5, 0.3), (0.5, 0.9), (0.1, 0.9)), closed=True, label="Hành lang tầng 2")


def grey(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def near(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(image.astype(int) - colour).max(axis=2) < 40


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_draws_boxes_where_people_are(width: int, height: int) -> None:
    box = (0.4 * width, 0.4 * height, 0.5 * width, 0.8 * height)

    drawn = draw(grey(width, height), [Person(box, "04d2 resident")], [], TITLE)

    red = near(drawn, INVOLVED)
    x1, y1, x2, y2 = (round(v) for v in box)
    for side in (red[y2, x1:x2], red[y1 + height // 20 : y2, x1], red[y1 + height // 20 : y2, x2]):
        assert side.mean() > 0.9
    assert not red[y1 + height // 20 : y2 - 8, x1 + 8 : x2 - 8].any()
    assert drawn.shape == (height, width, 3)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_title_is_large_and_complete(width: int, height: int) -> None:
    drawn = draw(grey(width, height), [], [], TITLE)

    white = (drawn.min(axis=2) > 150) & (np.arange(height)[:, None] < height // 3)
    rows = np.flatnonzero(white.any(axis=1))
    letters = max(11, height / 34)
    # Capitals are three quarters of the text's height; room at the right tells that nothing is cut off.
    lines = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    assert all(len(line) >= 0.7 * letters for line in lines)
    assert not white[:, -letters.__ceil__() // 3 :].any()
    assert rows.max() < height / 4


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("corner", [(0.0, 0.0), (0.97, 0.0), (0.0, 0.97), (0.97, 0.97)])
def test_labels_stay_inside_and_out_of_the_title(
    width: int, height: int, corner: tuple[float, float]
) -> None:
    x, y = corner[0] * width, corner[1] * height
    person = Person((x, y, x + 0.03 * width, y + 0.03 * height), "04d2 staff no ppe")

    with_label = draw(grey(width, height), [person], [], TITLE)
    without = draw(grey(width, height), [Person(person.box, "")], [], TITLE)

    changed = np.argwhere((with_label != without).any(axis=2))
    bar = np.flatnonzero((draw(grey(width, height), [], [], TITLE) != 128).any(axis=(1, 2))).max()
    high, wide = changed.max(axis=0) - changed.min(axis=0) + 1
    assert wide > 8 * high / 2 and high >= 11
    assert changed[:, 0].min() > bar


def test_zones_are_veiled_and_lines_are_not() -> None:
    line = Outline(((0.6, 0.4), (0.9, 0.4)), closed=False, label="Cổng")

    drawn = draw(grey(768, 576), [], [ZONE, line], "")

    assert near(drawn, OUTLINE)[int(0.9 * 576), 200]
    assert near(drawn, OUTLINE)[int(0.4 * 576), int(0.65 * 768)]
    inside, outside = drawn[int(0.8 * 576), 200], drawn[int(0.8 * 576), 600]
    assert (outside == 128).all() and not (inside == 128).all()
    assert np.abs(inside.astype(int) - 128).max() < 40  # what is under the veil can still be seen


def test_names_are_written_as_they_are() -> None:
    plain = draw(grey(768, 576), [], [Outline(ZONE.points, True, "Hanh lang tang 2")], "")
    accented = draw(grey(768, 576), [], [ZONE], "")
    apart = draw(grey(768, 576), [], [Outline(ZONE.points, True, "Ha\u0300nh lang ta\u0302\u0300ng 2")], "")

    assert (plain != accented).any()
    assert (apart == accented).all()


def test_those_in_the_incident_are_told_apart_and_never_hidden() -> None:
    box = (300.0, 200.0, 380.0, 400.0)

    for people in (
        [Person(box, "a", True), Person(box, "b", False)],
        [Person(box, "b", False), Person(box, "a", True)],
    ):
        drawn = draw(grey(768, 576), people, [], "")
        assert near(drawn, INVOLVED)[400, 310:370].all()
    assert near(draw(grey(768, 576), [Person(box, "b", False)], [], ""), OTHER)[400, 310:370].all()


def test_the_picture_given_is_not_drawn_on() -> None:
    image = grey(768, 576)
    image.flags.writeable = False

    draw(image, [Person((10.0, 10.0, 50.0, 90.0), "x")], [ZONE], TITLE)

    assert (image == 128).all()


def test_boxes_that_leave_the_picture_do_no_harm() -> None:
    assert draw(grey(320, 240), [Person((-50.0, -50.0, 900.0, 700.0), "x")], [], TITLE).shape == (240, 320, 3)


def test_jpeg() -> None:
    image = cv2.GaussianBlur(draw(grey(768, 576), [], [ZONE], TITLE), (5, 5), 0)

    data = to_jpeg(image)

    assert data[:2] == b"\xff\xd8"
    assert np.abs(cv2.imdecode(np.frombuffer(data, np.uint8), 1).astype(int) - image).mean() < 3
    with pytest.raises(ValueError, match="expected a picture with pixels"):
        to_jpeg(np.empty((0, 0, 3), np.uint8))
