from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import supervision as sv

from evaluation.average_precision import PooledMatches, match_image
from evaluation.detection import ALL, MEAN, detection_accuracy, height_bands
from evaluation.formats import Labelled, TruthError, labelled_images

SIZE = 200


def images(folder: Path, labels: list[str]) -> list[Labelled]:
    """Images that show their own number, with label files."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
    for number, text in enumerate(labels):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), np.full((SIZE, SIZE, 3), number, np.uint8))
        (folder / "labels" / f"{number}.txt").write_text(text)
    return labelled_images(folder / "images", folder / "labels")


def label(kind: int, x: float, y: float, tall: float) -> str:
    """A label of a square object, px."""
    side = tall / SIZE
    return f"{kind} {x / SIZE + side / 2} {y / SIZE + side / 2} {side} {side}\n"


def answers(*rows: list[tuple[float, ...]]) -> Callable[[np.ndarray], np.ndarray]:
    """A detector that knows the images by their number."""
    return lambda image: np.array(rows[int(image[0, 0, 0])], dtype=np.float32).reshape(-1, 6)


def test_each_class_and_band_has_its_average_precision(tmp_path: Path) -> None:
    items = images(tmp_path, [label(0, 0, 0, 10) + label(0, 50, 50, 100), label(1, 0, 0, 40)])
    detect = answers([(0, 0, 10, 10, 0.9, 0)], [(0, 0, 40, 40, 0.8, 1), (100, 100, 140, 140, 0.9, 1)])
    found = detection_accuracy(items, detect, ("a", "b"), ("a", "b"), resamples=50, seed=0)
    assert list(found.classes) == ["a", "b", MEAN]
    a, b, mean = (found.classes[name] for name in ("a", "b", MEAN))
    assert list(a) == [ALL, "< 20 px", "20 to 32 px", "32 to 64 px", ">= 64 px"]
    assert [cell.objects for cell in a.values()] == [2, 1, 0, 0, 1]
    assert a[ALL].ap50.value == pytest.approx(51 / 101)
    assert a["< 20 px"].ap50.value == 1.0 and a[">= 64 px"].ap50.value == 0.0
    assert a["20 to 32 px"].ap50.value is None
    assert b[ALL].ap50.value == 0.5 and b["32 to 64 px"].ap50_95.value == 0.5
    assert mean[ALL].ap50.value == pytest.approx((51 / 101 + 0.5) / 2)
    assert mean["< 20 px"].ap50.value == 1.0  # b has none there: the mean is over a alone


def test_the_same_seed_gives_the_same_intervals_and_they_hold_the_value(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth, rows = [], []
    for _ in range(30):
        truth.append(label(0, 20, 20, 50))
        hit = rng.random() < 0.6
        rows.append([(20, 20, 70, 70, rng.random(), 0)] if hit else [(120, 120, 170, 170, rng.random(), 0)])
    items = images(tmp_path, truth)
    one, same, other = (
        detection_accuracy(items, answers(*rows), ("x",), ("x",), resamples=100, seed=seed)
        .classes["x"][ALL]
        .ap50
        for seed in (1, 1, 2)
    )
    assert one == same and one != other
    assert one.low is not None and one.value is not None and one.high is not None
    assert one.low < one.value < one.high


def test_a_band_with_objects_in_few_images_has_no_interval(tmp_path: Path) -> None:
    items = images(tmp_path, [label(0, 0, 0, 10)] * 3 + [label(0, 0, 0, 40)] * 8)
    rows = [[(0, 0, 10, 10, 0.9, 0)] if n % 2 else [] for n in range(3)]
    rows += [[(0, 0, 40, 40, 0.9, 0)] if n % 2 else [] for n in range(8)]
    cells = detection_accuracy(items, answers(*rows), ("x",), ("x",), resamples=50, seed=0).classes["x"]
    assert cells["< 20 px"].ap50.value is not None and cells["< 20 px"].ap50.interval is None
    assert cells["32 to 64 px"].ap50.interval == "bootstrap"


def test_classes_go_by_name_and_classes_unknown_to_the_weights_are_named(tmp_path: Path) -> None:
    items = images(tmp_path, [label(1, 0, 0, 50) + label(0, 100, 100, 50)])
    detect = answers([(0, 0, 50, 50, 0.9, 2)])
    found = detection_accuracy(
        items, detect, ("car", "bus", "person"), ("vest", "person"), resamples=20, seed=0
    )
    assert found.unknown_classes == ("vest",)
    assert found.classes["person"][ALL].ap50.value == 1.0


def test_nothing_to_measure_is_an_error(tmp_path: Path) -> None:
    items = images(tmp_path, [""])
    with pytest.raises(TruthError, match="expected labels of a class that the detector knows"):
        detection_accuracy(items, answers([]), ("person",), ("cat",), resamples=20, seed=0)
    with pytest.raises(TruthError, match="expected labels of person in 1 images, got none"):
        detection_accuracy(items, answers([]), ("person",), ("person",), resamples=20, seed=0)
    items[0].path.write_bytes(b"none")
    with pytest.raises(TruthError, match="expected an image"):
        detection_accuracy(items, answers([]), ("person",), ("person",), resamples=20, seed=0)


@pytest.mark.parametrize("edges", [[20, 20], [32, 20], [0, 10], [-1]])
def test_bands_must_increase(edges: list[float]) -> None:
    with pytest.raises(TruthError, match="increase from above 0"):
        height_bands(edges)


def test_without_edges_there_is_one_band() -> None:
    assert height_bands([]) == {ALL: None}


def test_average_precision_agrees_with_that_of_ultralytics() -> None:
    import torch

    from models.offline import yolo  # sets ultralytics offline before it is imported

    assert yolo is not None
    from ultralytics.engine.validator import BaseValidator
    from ultralytics.utils.metrics import ap_per_class

    rng = np.random.default_rng(0)
    validator = SimpleNamespace(iouv=torch.linspace(0.5, 0.95, 10))
    matched, theirs, scores, truths = [], [], [], 0
    for _ in range(60):
        truth = rng.uniform(0, 500, (rng.integers(0, 6), 2))
        truth = np.hstack([truth, truth + rng.uniform(20, 120, truth.shape)])
        near = truth[rng.random(len(truth)) < 0.8] + rng.normal(0, 4, 4)
        far = rng.uniform(0, 500, (rng.integers(0, 4), 2))
        boxes = np.vstack([near, np.hstack([far, far + 50])])
        score = np.concatenate([rng.beta(4, 2, len(near)), rng.beta(2, 3, len(far))])
        order = np.argsort(-score)
        found = np.column_stack([boxes, score])[order]
        matched.append(match_image(found, truth))
        iou = torch.from_numpy(sv.box_iou_batch(truth, found[:, :4]))
        same = torch.zeros(len(found)), torch.zeros(len(truth))
        theirs.append(BaseValidator.match_predictions(validator, *same, iou).numpy())
        scores.append(found[:, 4])
        truths += len(truth)
    conf = np.concatenate(scores)
    result = ap_per_class(np.concatenate(theirs), conf, np.zeros(len(conf)), np.zeros(truths))
    # They integrate a line through the 101 points, COCO and we take their mean.
    np.testing.assert_allclose(PooledMatches(matched).average_precision(), result[5][0], atol=0.006)
