"""Training of the general role model, for facilities without labels: protective clothing or not.

It is trained on public images of building sites. A person wears protective clothing if a suit or a vest is
labelled on the person; all other people count as plain, which means only that they wear neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias, TypedDict

import cv2
import numpy as np

from models.errors import ModelError
from models.images import read_image
from vision.roles.assignment import MIN_ROLE_CONFIDENCE
from vision.roles.features import RoleFeatures
from vision.roles.fitting import Labelled, fit
from vision.roles.model import RoleClassifier, RoleModel
from zones.facility import Role

SOURCES = ("ppe_syook", "ppe_rqnu9")
GARMENTS = {"ppe-suit": "suit", "vest": "vest"}
CLASSES = ((Role.STAFF_PPE,), (Role.RESIDENT, Role.STAFF_NO_PPE, Role.OUTSIDER))
MIN_PERSON_HEIGHT_PX, MIN_PERSON_WIDTH_PX = 64, 20
"""Minimum size of a person in training images, px."""
MIN_GARMENT_OVERLAP = 0.6
"""Minimum share of a garment's box that lies in the box of the person who wears it."""
MAX_DUPLICATE_BITS = 12
"""Images whose 64-bit difference hashes differ in at most this many bits are near-duplicates: one group."""
PRIOR_PPE = 1 / (1 + len(CLASSES[1]))
"""Probability of staff in PPE without evidence: all roles are equally probable."""

Progress = Callable[[int, int], None]
"""Called with the number of people read and the total."""

GarmentFigures: TypeAlias = dict[str, dict[str, float | int]]
"""Figures by what people wear: suit, vest or plain."""
PpeFigures = TypedDict(
    "PpeFigures",
    {
        "people": int,
        "pictures": int,
        "groups": int,
        "held out by group": GarmentFigures,
        "held out by source": dict[str, GarmentFigures],
    },
)
"""Figures of the general model on held-out images, as they are printed."""


@dataclass(frozen=True)
class _Person:
    image: Path
    box: np.ndarray
    garment: str


def train_general_model(
    data: Path, features: RoleFeatures, progress: Progress = lambda *_: None
) -> tuple[RoleModel, PpeFigures]:
    """Train the general model; returns it with figures on held-out images.

    Args:
        data: folder that contains the folders of SOURCES.
        features: reader of the features.
        progress: called with the number of people read and the total.

    Raises:
        ModelError: the data set is missing.
    """
    people = [person for source in SOURCES for person in _people(data / source)]
    groups = _groups(sorted({person.image for person in people}))
    rows = []
    for number, person in enumerate(people):
        rows.append(features.read([(read_image(person.image), person.box)]))
        progress(number + 1, len(people))
    x = np.concatenate(rows)
    classes = np.array([int(person.garment == "plain") for person in people])
    of_group = [groups[person.image] for person in people]
    # The people of a group and class count as one: a man filmed for a minute is one man.
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
) -> PpeFigures:
    """Figures of five-fold cross-validation over groups, and of training on one source for the other."""
    worn = np.array([person.garment for person in people])
    source = np.array([person.image.parent.parent.name for person in people])
    fifth = {name: n % 5 for n, name in enumerate(np.random.default_rng(1).permutation(np.unique(groups)))}
    fold = np.array([fifth[group] for group in groups.tolist()])
    held_out = _predicted(x, [fold == n for n in range(5)], fitted)
    across = _predicted(x, [source == name for name in SOURCES], fitted)
    return {
        "people": len(people),
        "pictures": len({person.image for person in people}),
        "groups": len(np.unique(groups)),
        "held out by group": _by_garment(held_out, worn),
        "held out by source": {
            name: _by_garment(across[source == name], worn[source == name]) for name in SOURCES
        },
    }


def _predicted(
    x: np.ndarray, parts: list[np.ndarray], fitted: Callable[[np.ndarray], RoleModel]
) -> np.ndarray:
    """Probability of staff in PPE (N,), each part predicted from the others."""
    shares = np.zeros(len(x))
    for part in parts:
        shares[part] = RoleClassifier(fitted(~part)).roles(x[part])[:, 1]
    return shares


def _by_garment(shares: np.ndarray, worn: np.ndarray) -> GarmentFigures:
    return {
        str(kind): {
            "people": int((worn == kind).sum()),
            "likelier than not": round(float((shares[worn == kind] > PRIOR_PPE).mean()), 3),
            f"staff_ppe at {MIN_ROLE_CONFIDENCE}": round(
                float((shares[worn == kind] >= MIN_ROLE_CONFIDENCE).mean()), 3
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
    """The person who wears a garment: the one whose box contains most of it; of several, the smallest box."""
    best, score = None, MIN_GARMENT_OVERLAP
    for number, box in enumerate(persons):
        side = np.minimum(garment[2:], box[2:]) - np.maximum(garment[:2], box[:2])
        common, size = float(np.prod(np.clip(side, 0, None))), float(np.prod(garment[2:] - garment[:2]))
        union = size + float(np.prod(box[2:] - box[:2])) - common
        match = common / size + 0.1 * common / union
        if common / size >= MIN_GARMENT_OVERLAP and match > score:
            best, score = number, match
    return best


def _groups(images: list[Path]) -> dict[Path, str]:
    """Group near-duplicate images (by difference hash) and frames of one video (by name), by union-find.

    The group of each image is named by the stem of one of its images.
    """
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
