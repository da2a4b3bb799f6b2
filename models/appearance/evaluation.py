"""How well appearance vectors separate people: the figures of the card.

AUC: the probability that two images of one person are more similar than images of two people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models import datasets
from models.appearance import crop_set
from models.appearance.crop_set import CropSet, Teacher
from models.appearance.cropping import cut
from models.appearance.degradation import degrade
from models.appearance.network import AppearanceNet, load
from models.errors import ModelError
from models.registry import Weights

Floats = NDArray[np.float64]
Images = Sequence[NDArray[np.uint8]]

FRAME_STEP = 14
"""Frames between those of the footage that are compared: 2 s, so that postures differ."""
MAX_NEIGHBOUR_IOU = 0.1
"""Boxes of the footage that overlap another by more show two people and are left out."""


@dataclass(frozen=True)
class Separation:
    """Separation of pairs of images of one person from pairs of two people.

    Attributes:
        data: what was compared.
        pairs: number of pairs of one person, and of two people.
        auc: see the module.
        teacher_auc: of the teacher, on the same pairs.
        slope, even: log odds that a pair is of one person: slope * (cosine - even), fitted with equal weight
            to both kinds.
    """

    data: str
    pairs: tuple[int, int]
    auc: float
    teacher_auc: float
    slope: float
    even: float


@dataclass(frozen=True)
class AppearanceFigures:
    """Separation on each set of pairs."""

    sets: tuple[Separation, ...]


def evaluate(weights: Weights, sources: datasets.Sources) -> AppearanceFigures:
    """Measure appearance weights on held-out people, and on footage where it is at hand.

    Raises:
        ModelError: data or the teacher is missing.
    """
    net = load(weights.path)
    teacher = Teacher(sources.weights / crop_set.TEACHER)

    def ours(images: Images) -> Floats:
        return embed(net, np.stack(images))

    def theirs(images: Images) -> Floats:
        return np.concatenate([teacher(images[i : i + 16]) for i in range(0, len(images), 16)]).astype(
            np.float64
        )

    views, source = _held_out(crop_set.collect(sources), seed=0)
    same = np.eye(len(source), dtype=bool)
    other = (source[:, None] == source) & ~same
    text = "held-out people of public images, degraded twice; two people of one image"
    found = [_separation(text, ours, theirs, views, same, other)]
    folder = sources.data / "pets2009"
    if folder.is_dir():
        images, frames, people = _footage(folder)
        apart = frames[:, None] < frames
        same = apart & (people[:, None] == people)
        text = "PETS 2009 S2.L1 View_001, true boxes, 2 s or more apart (staged footage, never trained on)"
        found.append(_separation(text, ours, theirs, (images, images), same, apart & ~same))
    return AppearanceFigures(tuple(found))


def auc(same: Floats, other: Floats) -> float:
    """Area under the ROC curve of scores of same pairs (N,) over other pairs (M,); ties count half."""
    labels = np.concatenate([np.ones(len(same)), np.zeros(len(other))])
    return float(roc_auc_score(labels, np.concatenate([same, other])))


def log_odds(same: Floats, other: Floats, rounds: int = 50) -> tuple[float, float]:
    """Slope and even point of the logistic regression of same pairs (N,) against other pairs (M,).

    Both kinds have the same total weight, because their frequencies depend on the camera.
    """
    x = np.column_stack([np.concatenate([same, other]), np.ones(len(same) + len(other))])
    y = np.concatenate([np.ones(len(same)), np.zeros(len(other))])
    weight = np.where(y > 0, 1 / len(same), 1 / len(other))
    beta = np.zeros(2)
    for _ in range(rounds):  # Newton's method, with a ridge that keeps separable data finite
        p = 1 / (1 + np.exp(-(x @ beta)))
        curve = (x * (weight * p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2)
        beta = beta + np.linalg.solve(curve, x.T @ (weight * (y - p)) - 1e-6 * beta)
    return float(beta[0]), float(-beta[1] / beta[0])


def embed(net: AppearanceNet, images: NDArray[np.uint8]) -> Floats:
    """Vectors (N, D) of crops (N, HEIGHT, WIDTH, 3), 64 at a time."""
    net.eval()
    with torch.inference_mode():
        parts = [net(torch.from_numpy(images[i : i + 64])).float().numpy() for i in range(0, len(images), 64)]
    return np.concatenate(parts).astype(np.float64)


def held_out_auc(net: AppearanceNet, data: CropSet, seed: int) -> float:
    """AUC on held-out crops, each degraded twice; other pairs are of one image, the hard ones."""
    (first, second), source = _held_out(data, seed)
    cosines = embed(net, np.stack(first)) @ embed(net, np.stack(second)).T
    within = (source[:, None] == source) & ~np.eye(len(source), dtype=bool)
    return auc(np.diag(cosines), cosines[within])


def _held_out(data: CropSet, seed: int) -> tuple[tuple[Images, Images], NDArray[np.int64]]:
    """Two degraded views of each held-out crop, and the image that each is from."""
    rng = np.random.default_rng((seed, 1))
    numbers = np.flatnonzero(data.held_out)
    views = []
    for _ in range(2):
        others = rng.permutation(numbers)
        views.append(
            [degrade(data.crops[n], data.crops[o], rng) for n, o in zip(numbers, others, strict=True)]
        )
    return (views[0], views[1]), data.source[numbers]


def _footage(folder: Path) -> tuple[Images, NDArray[np.int64], NDArray[np.int64]]:
    """Crops of people who stand alone in the footage, the frame and the person of each."""
    truth = np.loadtxt(folder / "gt_mot.txt", delimiter=",")
    video = cv2.VideoCapture(str(folder / "vtest.avi"))
    images, frames, people = [], [], []
    number = 0
    while True:
        read, frame = video.read()
        if not read:
            break
        rows = truth[truth[:, 0] == number + 1] if number % FRAME_STEP == 0 else truth[:0]
        boxes = np.column_stack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])
        for row, box, overlap in zip(rows, boxes, sv.box_iou_batch(boxes, boxes), strict=True):
            if (overlap > MAX_NEIGHBOUR_IOU).sum() == 1:
                images.append(cut(np.asarray(frame, dtype=np.uint8), box))
                frames.append(number)
                people.append(int(row[1]))
        number += 1
    video.release()
    if not images:
        raise ModelError(f"expected footage in {folder / 'vtest.avi'}, no frame of it can be read")
    return images, np.array(frames), np.array(people)


def _separation(
    data: str,
    ours: Callable[[Images], Floats],
    theirs: Callable[[Images], Floats],
    views: tuple[Images, Images],
    same: NDArray[np.bool_],
    other: NDArray[np.bool_],
) -> Separation:
    cosines = ours(views[0]) @ ours(views[1]).T
    taught = theirs(views[0]) @ theirs(views[1]).T
    slope, even = log_odds(cosines[same], cosines[other])
    return Separation(
        data,
        (int(same.sum()), int(other.sum())),
        round(auc(cosines[same], cosines[other]), 4),
        round(auc(taught[same], taught[other]), 4),
        round(slope, 2),
        round(even, 3),
    )
