"""Agreement of one network on two devices or in two precisions: differences of its outputs, and tolerances.

The functions need numpy and torchvision only, so that a machine with a GPU needs few packages to be checked.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.devices import Poses

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

F32, F16 = "torch-f32", "torch-f16"
SURE_FACE = 0.25
"""Landmarks are compared for faces from this score on, the one from which the pipeline judges a face."""
SAME_BOX_IOU = 0.5
"""Two boxes with at least this IoU may be the same detection."""
MAX_UNMATCHED_SHARE = 0.02
"""Detections with a clear score that only one device finds, as a share of all. In lower precision a pair of
boxes may fall on the other side of the IoU threshold of non-maximum suppression."""


@dataclass(frozen=True)
class Tolerances:
    """What a precision may differ from f32 on the CPU.

    Attributes:
        box_px: an edge of a box, px of the network's input; box_share: more than that, as a share of the
            longer side of the box.
        score: score of a detection; a detection may be missing if its score is within this of the
            confidence threshold.
        landmark_px, landmark_share: the same for landmarks of sure faces.
        probability: probability of a class.
        cosine: of two embeddings of one crop, at least.
        reason: where the numbers come from.
    """

    box_px: float
    box_share: float
    score: float
    landmark_px: float
    landmark_share: float
    probability: float
    cosine: float
    reason: str


SAME_ARITHMETIC = Tolerances(
    *(1e-4, 0.0, 1e-4, 1e-4, 0.0, 1e-4, 1 - 1e-6),
    reason="the same code in the same precision on the same processor: equal up to the order of sums",
)
TOLERANCES = {
    ("cpu", F32): SAME_ARITHMETIC,
    ("cuda", F32): Tolerances(
        *(0.1, 0.001, 0.002, 0.1, 0.001, 0.002, 0.99999),
        reason="f32 without TF32: sums in another order and other convolution algorithms change a value by "
        "about 1e-6 of it per layer; the tolerance is that, over 100 layers, with a margin",
    ),
    ("cuda", F16): Tolerances(
        *(1.0, 0.02, 0.02, 0.5, 0.01, 0.02, 0.9995),
        reason="f16 has 11 significant bits: a coordinate from 256 to 511 px is rounded to 0.25 px, in the "
        "centre and in the size of a box. In f16 on a CPU, on 8 frames of the samples, the networks differ "
        "from f32 by 0.1 px of a box (median; at most 1.7 px), 0.002 of a score, 0.06 px of a landmark, "
        "0.002 of a probability and 2e-6 of a cosine; a GPU sums in another order, hence the margin",
    ),
}


def overlap(boxes: Floats, others: Floats) -> Floats:
    """IoU (N, M) of boxes (N, 4) with others (M, 4), x1, y1, x2, y2. (supervision is not needed here.)"""
    from torch import from_numpy
    from torchvision.ops import box_iou  # type: ignore[import-untyped]

    return np.asarray(box_iou(from_numpy(boxes), from_numpy(others)).numpy(), np.float64)


def pairs(reference: Floats, found: Floats) -> list[tuple[int, int]]:
    """Pairs (reference, found) of the same detection, each box at most once, in order of descending IoU.

    Args:
        reference: (N, 4) x1, y1, x2, y2, px.
        found: (M, 4).
    """
    if not len(reference) or not len(found):
        return []
    iou = overlap(reference, found)
    matched: list[tuple[int, int]] = []
    for flat in np.argsort(-iou, axis=None, kind="stable").tolist():
        r, f = divmod(flat, len(found))
        if iou[r, f] < SAME_BOX_IOU:
            break
        if all(r != a and f != b for a, b in matched):
            matched.append((r, f))
    return matched


def median_and_max(name: str, values: Sequence[float]) -> dict[str, float | None]:
    """The median and the largest of some differences, rounded, by name."""
    if not len(values):
        return {f"{name}_median": None, f"{name}_max": None}
    return {
        f"{name}_median": round(float(statistics.median(values)), 6),
        f"{name}_max": round(float(max(values)), 6),
    }


def compare_poses(
    reference: Sequence[Poses],
    found: Sequence[Poses],
    images: Sequence[Image],
    imgsz: int,
    confidence: float,
    limit: Tolerances,
) -> tuple[int, dict[str, float | int | None], tuple[str, ...]]:
    """Compare detections of the same images: how many, the differences, and what is beyond its tolerance.

    Args:
        reference: what the CPU found in each image; without landmarks, the keypoints are empty.
        found: what the device found.
        images: the images, for their sizes.
        imgsz: px of the longer side of the network's input.
        confidence: score from which detections are kept.
        limit: the tolerances.
    """
    edges: list[float] = []
    scores: list[float] = []
    landmarks: list[float] = []
    beyond = {"boxes": 0, "landmarks": 0}
    matched = clear = unclear = 0
    for mine, theirs, image in zip(reference, found, images, strict=True):
        scale = imgsz / max(image.shape[:2])
        one, other = mine.boxes.astype(np.float64), theirs.boxes.astype(np.float64)
        same = pairs(one[:, :4], other[:, :4])
        matched += len(same)
        for r, f in same:
            edge = float(np.abs(one[r, :4] - other[f, :4]).max()) * scale
            side = float(max(one[r, 2] - one[r, 0], one[r, 3] - one[r, 1])) * scale
            edges.append(edge)
            scores.append(float(abs(one[r, 4] - other[f, 4])))
            beyond["boxes"] += edge > limit.box_px + limit.box_share * side
            if mine.keypoints.size and one[r, 4] >= SURE_FACE:
                apart = mine.keypoints[r, :, :2].astype(np.float64) - theirs.keypoints[f, :, :2]
                worst = float(np.hypot(*apart.T).max()) * scale
                landmarks.append(worst)
                beyond["landmarks"] += worst > limit.landmark_px + limit.landmark_share * side
        single = [one[n, 4] for n in range(len(one)) if all(n != r for r, _ in same)]
        single += [other[n, 4] for n in range(len(other)) if all(n != f for _, f in same)]
        clear += sum(score > confidence + limit.score for score in single)
        unclear += sum(score <= confidence + limit.score for score in single)
    total = sum(len(item.boxes) for item in reference)
    worst_score = max(scores, default=0.0)
    faults = []
    if beyond["boxes"]:
        faults.append(
            f"expected edges of boxes to differ by at most {limit.box_px:g} px + {limit.box_share:g} of the "
            f"longer side, got {beyond['boxes']} of {matched} boxes beyond it, at most {max(edges):.3g} px"
        )
    if worst_score > limit.score:
        faults.append(f"expected scores to differ by at most {limit.score:g}, got {worst_score:.3g}")
    if beyond["landmarks"]:
        faults.append(
            f"expected landmarks to differ by at most {limit.landmark_px:g} px + {limit.landmark_share:g} of "
            f"the face, got {beyond['landmarks']} of {len(landmarks)} faces beyond it, at most "
            f"{max(landmarks):.3g} px"
        )
    allowed = MAX_UNMATCHED_SHARE * total if limit is not SAME_ARITHMETIC else 0
    if clear > allowed:
        faults.append(
            f"expected at most {allowed:.3g} clear detections on one device only, got {clear} of {total}"
        )
    measures: dict[str, float | int | None] = {
        "matched": matched,
        "unmatched": clear,
        "unmatched_at_threshold": unclear,
        **median_and_max("box_edge_input_px", edges),
        **median_and_max("score", scores),
    }
    if any(item.keypoints.size for item in reference):
        measures |= {"sure_faces": len(landmarks), **median_and_max("landmark_input_px", landmarks)}
    return total, measures, tuple(faults)


def compare_probabilities(
    reference: Floats, found: Floats, limit: Tolerances
) -> tuple[dict[str, float | int | None], tuple[str, ...]]:
    """Compare class probabilities (N, classes) of the same crops."""
    apart = np.abs(reference - found).max(axis=1)
    other_class = int((reference.argmax(axis=1) != found.argmax(axis=1)).sum())
    faults = []
    if apart.max() > limit.probability:
        faults.append(
            f"expected class probabilities to differ by at most {limit.probability:g}, got {apart.max():.3g}"
        )
    return {**median_and_max("probability", apart.tolist()), "other_class": other_class}, tuple(faults)


def compare_embeddings(
    reference: Floats, found: Floats, limit: Tolerances
) -> tuple[dict[str, float | int | None], tuple[str, ...]]:
    """Compare unit vectors (N, D) of the same crops by their cosine."""
    norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(found, axis=1)
    cosine = (reference * found).sum(axis=1) / np.maximum(norms, 1e-12)
    faults = []
    if not cosine.min() >= limit.cosine:
        faults.append(f"expected a cosine of at least {limit.cosine:g}, got {cosine.min():.6f}")
    measures: dict[str, float | int | None] = {
        "cosine_median": round(float(np.median(cosine)), 6),
        "cosine_min": round(float(cosine.min()), 6),
    }
    return measures, tuple(faults)
