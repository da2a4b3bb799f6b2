from __future__ import annotations

import numpy as np
import pytest
import supervision as sv
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from supervision.metrics import MeanAveragePrecision

from evaluation.average_precision import (
    IOU_THRESHOLDS,
    RECALL_LEVELS,
    ImageMatches,
    PooledMatches,
    match_image,
)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=np.float64)


NO_TRUTH = np.zeros((0, 4))
NOTHING = np.zeros((0, 5))


def test_a_perfect_detector_has_an_average_precision_of_one_at_every_threshold() -> None:
    truth = boxes((0, 0, 10, 10), (20, 20, 50, 60))
    found = np.column_stack([truth, [0.9, 0.8]])
    assert PooledMatches([match_image(found, truth)]).average_precision().tolist() == [1.0] * 10


def test_half_of_the_objects_give_half_the_recall_levels() -> None:
    truth = boxes((0, 0, 10, 10), (20, 20, 50, 60))
    # Recalls 0, 0.01 ... 0.5 are reached at precision 1: 51 of 101.
    ap = PooledMatches([match_image(np.column_stack([truth[:1], [0.9]]), truth)]).average_precision()
    assert ap == pytest.approx(51 / 101)


def test_only_a_false_positive_with_a_higher_score_lowers_precision() -> None:
    truth = boxes((0, 0, 10, 10))
    far = (100.0, 100.0, 110.0, 110.0)
    above = match_image(boxes((*far, 0.9), (0, 0, 10, 10, 0.5)), truth)
    below = match_image(boxes((*far, 0.4), (0, 0, 10, 10, 0.5)), truth)
    assert PooledMatches([above]).average_precision()[0] == 0.5
    assert PooledMatches([below]).average_precision()[0] == 1.0


def test_a_detection_is_correct_up_to_its_iou() -> None:
    truth = boxes((0, 0, 10, 10))
    found = boxes((0, 0, 10, 7.2, 0.9))  # IoU 0.72
    assert match_image(found, truth).correct[:, 0].tolist() == [t <= 0.72 for t in IOU_THRESHOLDS]


def test_a_second_detection_of_one_object_is_a_false_positive() -> None:
    truth = boxes((0, 0, 10, 10))
    matched = match_image(boxes((0, 0, 10, 10, 0.6), (0, 0, 10, 9, 0.9)), truth)
    assert matched.scores.tolist() == [0.9, 0.6]
    assert matched.correct[0].tolist() == [True, False]


def test_boxes_outside_a_band_are_neither_missed_nor_false_positives() -> None:
    truth = boxes((0, 0, 10, 10), (0, 100, 40, 140))
    small, large, ghost = (0, 0, 10, 10, 0.9), (0, 100, 40, 140, 0.8), (200, 0, 240, 40, 0.7)
    matched = match_image(boxes(small, large, ghost), truth, height_band=(0, 20))
    assert matched.truths == 1
    assert matched.correct[0].tolist() == [True, False, False]
    assert matched.counted[0].tolist() == [True, False, False]
    # A false positive within the band counts there.
    assert match_image(boxes(ghost), truth, height_band=(32, 64)).counted[0].tolist() == [True]


def test_a_detection_outside_the_band_that_finds_an_object_inside_it_counts() -> None:
    matched = match_image(boxes((0, 0, 10, 22, 0.9)), boxes((0, 0, 10, 19)), height_band=(0, 20))
    assert matched.correct[0, 0] and matched.counted[0, 0]


def test_without_true_objects_there_is_no_average_precision() -> None:
    assert np.isnan(
        PooledMatches([match_image(boxes((0, 0, 5, 5, 0.5)), NO_TRUTH)]).average_precision()
    ).all()
    assert np.isnan(PooledMatches([]).average_precision()).all()


def test_no_detections_give_zero() -> None:
    pool = PooledMatches([match_image(NOTHING, boxes((0, 0, 5, 5))), match_image(NOTHING, NO_TRUTH)])
    assert pool.average_precision().tolist() == [0.0] * 10


corners = hnp.arrays(np.int64, st.tuples(st.integers(0, 6), st.just(4)), elements=st.integers(0, 30))


def as_boxes(raw: np.ndarray) -> np.ndarray:
    return np.column_stack([raw[:, :2], raw[:, :2] + 1 + raw[:, 2:]]).astype(np.float64)


@st.composite
def images(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    truth, found = as_boxes(draw(corners)), as_boxes(draw(corners))
    # Some detections sit on true boxes, or nothing would ever be right.
    both = np.vstack([found, truth[: draw(st.integers(0, len(truth)))] + draw(st.integers(0, 1))])
    scores = draw(st.lists(st.floats(0.001, 1), min_size=len(both), max_size=len(both), unique=True))
    return np.column_stack([both, np.array(scores).reshape(-1)]), truth


def by_definition(pool: list[ImageMatches], threshold: int) -> float:
    """Average precision written out: at each recall, the best precision at that recall or more."""
    truths = sum(image.truths for image in pool)
    rows = sorted(
        (
            (float(image.scores[d]), bool(image.correct[threshold, d]))
            for image in pool
            for d in range(len(image.scores))
            if image.counted[threshold, d]
        ),
        key=lambda row: -row[0],
    )
    points = []
    for n in range(1, len(rows) + 1):
        right = sum(hit for _, hit in rows[:n])
        points.append((right / truths, right / n))
    total = 0.0
    for recall in RECALL_LEVELS:
        total += max((p for r, p in points if r >= recall - 1e-9), default=0.0)
    return total / len(RECALL_LEVELS)


@settings(max_examples=60, deadline=None)
@given(st.lists(images(), min_size=1, max_size=3), st.sampled_from([None, (0.0, 15.0)]))
def test_average_precision_is_what_its_definition_says(
    sets: list[tuple[np.ndarray, np.ndarray]], band: tuple[float, float] | None
) -> None:
    matched = [match_image(found, truth, band) for found, truth in sets]
    ap = PooledMatches(matched).average_precision()
    if not sum(image.truths for image in matched):
        assert np.isnan(ap).all()
        return
    for t in (0, 5):
        assert ap[t] == pytest.approx(by_definition(matched, t))
    assert ((ap >= 0) & (ap <= 1)).all()
    assert (np.diff(ap) <= 1e-9).all() or band is not None


@settings(max_examples=40, deadline=None)
@given(st.lists(images(), min_size=1, max_size=4), st.data())
def test_a_weighted_image_counts_like_repeated_images(
    sets: list[tuple[np.ndarray, np.ndarray]], data: st.DataObject
) -> None:
    matched = [match_image(found, truth) for found, truth in sets]
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(sets), max_size=len(sets)))
    scores = np.concatenate([image.scores for image in matched])
    assume(len(np.unique(scores)) == len(scores))  # the order of equal scores is not defined
    repeated = [image for image, n in zip(matched, times, strict=True) for _ in range(n)]
    weighted = PooledMatches(matched).average_precision(np.array(times))
    np.testing.assert_allclose(weighted, PooledMatches(repeated).average_precision(), atol=1e-12)


def has_ties(detections: np.ndarray, truth: np.ndarray) -> bool:
    """Whether a detection has the same IoU to two true boxes, which may then be taken in either order."""
    ious = sv.box_iou_batch(truth, detections[:, :4]).T if len(truth) and len(detections) else []
    return any(len(np.unique(row[row > 0])) < (row > 0).sum() for row in ious)


def by_supervision(sets: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Average precision by IoU threshold, as supervision computes it."""
    metric = MeanAveragePrecision()
    for detections, truth in sets:
        metric.update(
            sv.Detections(
                xyxy=detections[:, :4],
                confidence=detections[:, 4],
                class_id=np.zeros(len(detections), np.int64),
            ),
            sv.Detections(xyxy=truth, class_id=np.zeros(len(truth), np.int64)),
        )
    return np.asarray(metric.compute().ap_per_class)[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(images(), min_size=1, max_size=4))
def test_average_precision_agrees_with_supervision(sets: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assume(any(len(truth) for _, truth in sets))
    scores = np.concatenate([detections[:, 4] for detections, _ in sets])
    assume(len(np.unique(scores)) == len(scores))  # the order of equal scores is not defined
    assume(not any(has_ties(detections, truth) for detections, truth in sets))
    ours = PooledMatches([match_image(detections, truth) for detections, truth in sets])
    # supervision's recall levels are not exactly k / 100: where 0.7 is reached exactly, it misses that level.
    people = sum(len(truth) for _, truth in sets)
    levels = np.linspace(0, 1, 101)
    missed = sum(k * 100 % people == 0 and levels[k * 100 // people] > k / people for k in range(people + 1))
    np.testing.assert_allclose(ours.average_precision(), by_supervision(sets), atol=1e-6 + missed / 101)
