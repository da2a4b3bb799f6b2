from __future__ import annotations

import cv2
import numpy as np
import pytest

from vision.frames import SECOND, Frame
from vision.roles.crops import CROPS_PER_TRACK, BodyCrop, CropSampler, anonymised_jpeg, cut_body

NOISE = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
BOX = np.array([100.0, 40.0, 150.0, 200.0])


def frame(t: int = 0) -> Frame:
    return Frame(NOISE, t, t // SECOND, "yard")


def test_a_crop_has_a_margin_and_the_position_of_the_box() -> None:
    crop = cut_body(frame(), "a", BOX)
    x1, y1, x2, y2 = crop.inside.astype(int)
    assert np.array_equal(crop.image[y1:y2, x1:x2], NOISE[40:200, 100:150])
    assert crop.image.shape[0] > 160 and crop.image.shape[1] > 50


@pytest.mark.parametrize("box", [[-20, -9, 30, 90], [300, 200, 400, 300], [0, 0, 320, 240]])
def test_a_box_beyond_the_frame_is_clipped(box: list[float]) -> None:
    crop = cut_body(frame(), "a", np.array(box, dtype=float))
    assert crop.image.size and anonymised_jpeg(crop)[:2] == b"\xff\xd8"


def test_heads_are_hidden_in_the_jpeg_also_those_of_bystanders() -> None:
    other = BOX + np.array([35, 10, 35, 10])
    crop = cut_body(frame(), "a", BOX, [other])
    shown = cv2.imdecode(np.frombuffer(anonymised_jpeg(crop), np.uint8), cv2.IMREAD_COLOR)
    scale = shown.shape[0] / crop.image.shape[0]

    def detail(region: tuple[int, int, int, int]) -> float:
        x1, y1, x2, y2 = (round(v * scale) for v in region)
        return float(cv2.Laplacian(shown[y1:y2, x1:x2], cv2.CV_64F).std())

    legs = (20, 120, 50, 155)
    assert len(crop.heads) == 2
    for head in crop.heads:
        assert detail(head) < 0.5 * detail(legs)
    x1, y1, x2, y2 = crop.heads[0]
    left, top, right, bottom = crop.inside
    assert x1 <= left and y1 <= top and x2 >= right
    assert 0.2 * (bottom - top) < y2 - top < 0.25 * (bottom - top)


def test_more_of_an_upper_body_box_is_hidden() -> None:
    crop = cut_body(frame(), "a", np.array([100.0, 40.0, 200.0, 150.0]))
    assert crop.heads[0][3] - crop.inside[1] > 0.8 * 110


def test_crops_of_a_long_track_are_spread_over_it_and_include_the_largest() -> None:
    sampler = CropSampler(2 * SECOND)
    for second in range(3600):
        if sampler.accepts(second * SECOND):
            tall = 100 if second != 2048 else 190
            sampler.add(cut_body(frame(second * SECOND), "a", np.array([10.0, 10.0, 60.0, 10.0 + tall])))
    best: list[BodyCrop] = sampler.selection()
    assert 3 < len(best) <= CROPS_PER_TRACK
    assert best[0].t == 0 and best[-1].t > 3000 * SECOND
    gaps = np.diff([crop.t for crop in best])
    assert gaps.min() > 0.2 * gaps.max()


def test_a_short_track_keeps_all_its_crops() -> None:
    sampler = CropSampler(2 * SECOND)
    for second in (0, 1, 2, 3):
        if sampler.accepts(second * SECOND):
            sampler.add(cut_body(frame(second * SECOND), "a", BOX))
    assert [crop.t // SECOND for crop in sampler.selection()] == [0, 2]
