"""Regions: joined where that saves pixels, packed without overlap, drawn and found again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.gate.regions import (
    INPUT_SIDES_PX,
    MAX_SIDE_PX,
    Region,
    draw,
    join,
    pack,
    region_around,
)

SIZE = (1920, 1080)
boxes = st.tuples(
    st.floats(-50, 1900), st.floats(-50, 1060), st.floats(1, 800), st.floats(1, 800), st.floats(0.02, 3)
).map(lambda v: (v[0], v[1], v[0] + v[2], v[1] + v[3], v[4]))


@given(boxes)
def test_a_region_lies_in_the_picture_and_holds_what_it_is_for(box: tuple[float, ...]) -> None:
    region = region_around(box[:4], box[4], SIZE)
    assert 0 <= region.x1 < region.x2 <= SIZE[0] and 0 <= region.y1 < region.y2 <= SIZE[1]
    assert region.x1 <= max(box[0], 0) and region.x2 >= min(box[2], SIZE[0])
    assert region.y1 <= max(box[1], 0) and region.y2 >= min(box[3], SIZE[1])
    assert max(region.input_size) <= MAX_SIDE_PX and region.scale <= box[4]


@given(st.lists(boxes, min_size=1, max_size=12))
def test_joined_parts_hold_every_part_at_its_scale_and_cost_no_more(listed: list[tuple[float, ...]]) -> None:
    array = np.array(listed)
    parts, scales = np.clip(array[:, :4], 0, [*SIZE, *SIZE]), np.minimum(array[:, 4], 1)
    joined, new = join(parts, scales)
    assert len(joined) <= len(parts)
    for part, scale in zip(parts, scales, strict=True):
        holds = (joined[:, :2] <= part[:2]).all(axis=1) & (joined[:, 2:] >= part[2:]).all(axis=1)
        assert (holds & (new >= scale)).any()


@given(st.lists(boxes, min_size=1, max_size=12))
def test_packed_regions_lie_in_their_inputs_and_apart(listed: list[tuple[float, ...]]) -> None:
    regions = [region_around(box[:4], box[4], SIZE) for box in listed]
    packed = pack(regions)
    assert packed.side in INPUT_SIDES_PX
    taken = np.zeros((packed.inputs, packed.side, packed.side), bool)
    for region, (number, left, top) in zip(regions, packed.places, strict=True):
        width, height = region.input_size
        place = taken[number, top : top + height, left : left + width]
        assert place.shape == (height, width) and not place.any()
        place[:] = True
    assert packed.pixels == packed.inputs * packed.side**2


def test_small_regions_share_one_input() -> None:
    regions = [Region(100 * n, 0, 100 * n + 100, 100, 1.0) for n in range(4)]
    assert (pack(regions).side, pack(regions).inputs) == (224, 1)


def test_a_region_that_no_input_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 416 px, got one of 500 px"):
        pack([Region(0, 0, 500, 500, 1.0)])


def test_what_is_drawn_is_the_picture_at_its_scale() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    regions = [Region(0, 0, 100, 120, 1.0), Region(600, 400, 840, 640, 0.5)]
    packed = pack(regions)
    inputs = draw(image, regions, packed)
    number, left, top = packed.places[0]
    assert np.array_equal(inputs[number][top : top + 120, left : left + 100], image[:120, :100])
    number, left, top = packed.places[1]
    half = inputs[number][top : top + 120, left : left + 120].astype(float)
    mean = image[400:640, 600:840].reshape(120, 2, 120, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - mean).max() <= 1
