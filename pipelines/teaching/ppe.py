"""The role model for a site without labels: protective clothing against everything else.

Learned from public pictures of building sites. Protective means a suit or a vest with a box of its own on
the person; plain is everybody else, of whom nothing is said but that they wear neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.datasets import read_image
from models.errors import ModelError
from vision.roles.assignment import MIN_ROLE_CONFIDENCE
from vision.roles.features import RoleFeatures
from vision.roles.fitting import Labelled, fit
from vision.roles.model import RoleClassifier, RoleModel
from zones.facility import Role

SOURCES = ("ppe_syook", "ppe_rqnu9")
GARMENTS = {"ppe-suit": "suit", "vest": "vest"}
CLASSES = ((Role.STAFF_PPE,), (Role.RESIDENT, Role.STAFF_NO_PPE, Role.OUTSIDER))
MIN_PERSON_HEIGHT_PX, MIN_PERSON_WIDTH_PX = 64, 20
"""px: smaller people show too little to learn from."""
MIN_GARMENT_OVERLAP = 0.6
"""Share of a garment's box that must lie in a person's."""
MAX_DUPLICATE_BITS = 12
"""Of the 64 bits of two pictures' difference hashes: pictures that differ in no more are one group."""
PRIOR_PPE = 1 / (1 + len(CLASSES[1]))
"""Probability of staff in PPE where a picture says neither way."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Person:
    image: Path
    box: np.ndarray
    worn: str


def train_general_model(
    data: Path, features: RoleFeatures, progress: Progress = lambda *_: None
) -> tuple[RoleModel, dict[str, Any]]:
    """Train the model; returns it with figures on pictures held out, by what is worn and by source.

    Args:
        data: folder with the folders of SOURCES.
        features: what to learn from.
        progress: told how many of how many people are read.

    Raises:
        ModelError: the data is missing.
    """
    people = [person for source in SOURCES for person in _people(data / source)]
    groups = _groups(sorted({person.image for person in people}))
    rows = []
    for number, person in enumerate(people):
        rows.append(features.read([(read_image(person.image), person.box)]))
        progress(number + 1, len(people))
    x = np.concatenate(rows)
    classes = np.array([int(person.worn == "plain") for person in people])
    of_group = [groups[person.image] for person in people]
    # Near-copies together count as one person of a class: one man filmed for a minute is one man.
    tracks = [f"{group} {k}" for group, k in zip(of_group, classes.tolist(), strict=True)]

    def fitted(chosen: np.ndarray) -> RoleModel:
        kept = np.flatnonzero(chosen).tolist()
        part = Labelled(x[kept], classes[kept], [tracks[n] for n in kept], [of_group[n] for n in kept])
        made = datetime.now(UTC).isoformat(timespec="seconds")
        return fit(part, CLASSES, features.identity, facility=None, made=made, guarded=False)

    everything = np.ones(len(x), dtype=bool)
    return fitted(everything), _figures(people, np.array(of_group), x, fitted)


def _figures(
    people: list[_Person], groups: np.ndarray, x: np.ndarray, fitted: Callable[[np.ndarray], RoleModel]
) -> dict[str, Any]:
    """Figures on held-out fifths of the groups, and from one source to the other."""
    worn = np.array([person.worn for person in people])
    source = np.array([person.image.parent.parent.name for person in people])
    fifth = {name: n % 5 for n, name in enumerate(np.random.default_rng(1).permutation(np.unique(groups)))}
    of = np.array([fifth[group] for group in groups.tolist()])
    held_out = _predicted(x, [of == n for n in range(5)], fitted)
    across = _predicted(x, [source == name for name in SOURCES], fitted)
    return {
        "people": len(people),
        "pictures": len({person.image for person in people}),
        "groups": len(np.unique(groups)),
        "held out by group": _by_kind(held_out, worn),
        "held out by source": {
            name: _by_kind(across[source == name], worn[source == name]) for name in SOURCES
        },
    }


def _predicted(
    x: np.ndarray, parts: list[np.ndarray], fitted: Callable[[np.ndarray], RoleModel]
) -> np.ndarray:
    """Probability of staff in PPE (N,), each part predicted from the others."""
    found = np.zeros(len(x))
    for part in parts:
        found[part] = RoleClassifier(fitted(~part)).roles(x[part])[:, 1]
    return found


def _by_kind(found: np.ndarray, worn: np.ndarray) -> dict[str, dict[str, float | int]]:
    return {
        str(kind): {
            "people": int((worn == kind).sum()),
            "likelier than not": round(float((found[worn == kind] > PRIOR_PPE).mean()), 3),
            f"staff_ppe at {MIN_ROLE_CONFIDENCE}": round(
                float((found[worn == kind] >= MIN_ROLE_CONFIDENCE).mean()), 3
            ),
        }
        for kind in np.unique(worn)
    }


def _people(source: Path) -> Iterator[_Person]:
    names_file = source / "classes.txt"
    if not names_file.is_file():
        raise ModelError(f"expected a data set at {source}, found none")
    names = [line.strip().lower() for line in names_file.read_text().splitlines() if line.strip()]
    for image in sorted((source / "images").iterdir()):
        height, width = read_image(image).shape[:2]
        rows = [line.split() for line in (source / "labels" / f"{image.stem}.txt").read_text().splitlines()]
        boxes: dict[str, list[np.ndarray]] = {}
        for row in rows:
            x, y, w, h = (float(v) for v in row[1:5])
            corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * (width, height, width, height)
            boxes.setdefault(names[int(row[0])], []).append(corners)
        persons = boxes.get("person", [])
        worn = ["plain"] * len(persons)
        for garment, kind in reversed(GARMENTS.items()):
            for box in boxes.get(garment, []):
                if (owner := _owner(box, persons)) is not None:
                    worn[owner] = kind
        for box, kind in zip(persons, worn, strict=True):
            if box[3] - box[1] >= MIN_PERSON_HEIGHT_PX and box[2] - box[0] >= MIN_PERSON_WIDTH_PX:
                yield _Person(image, box, kind)


def _owner(garment: np.ndarray, persons: list[np.ndarray]) -> int | None:
    """The person that a garment is on: the one whose box holds most of it; of several, the tightest."""
    best, score = None, MIN_GARMENT_OVERLAP
    for number, box in enumerate(persons):
        side = np.minimum(garment[2:], box[2:]) - np.maximum(garment[:2], box[:2])
        common, size = float(np.prod(np.clip(side, 0, None))), float(np.prod(garment[2:] - garment[:2]))
        union = size + float(np.prod(box[2:] - box[:2])) - common
        fit_of = common / size + 0.1 * common / union
        if common / size >= MIN_GARMENT_OVERLAP and fit_of > score:
            best, score = number, fit_of
    return best


def _groups(images: list[Path]) -> dict[Path, str]:
    """Pictures that show the same: near-copies by difference hash, and frames of one video by their name."""
    hashes = []
    for image in images:
        grey = cv2.cvtColor(read_image(image), cv2.COLOR_BGR2GRAY)
        grey = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
        hashes.append((grey[:, 1:] > grey[:, :-1]).ravel())
    bits = np.array(hashes)
    parent = list(range(len(images)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for n in range(len(images)):
        for other in np.flatnonzero((bits[n] != bits[n + 1 :]).sum(axis=1) <= MAX_DUPLICATE_BITS) + n + 1:
            parent[root(int(other))] = root(n)
    first: dict[str, int] = {}
    for n, image in enumerate(images):
        if re.search(r"video|_mp4", image.name, re.IGNORECASE):
            stem = re.sub(r"[-_]?\d*(_jpg.*)?$", "", image.stem)
            parent[root(n)] = root(first.setdefault(stem, n))
    return {image: images[root(n)].stem for n, image in enumerate(images)}
