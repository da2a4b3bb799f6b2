"""The role model of a facility: training on labelled crops, its files in the home folder, and its choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from incidents.files import write_atomic
from models import registry
from models.registry import Weights
from pipelines.home import Home
from pipelines.teaching.labels import Label, to_json
from vision.roles.crops import BodyCrop
from vision.roles.features import RoleFeatures
from vision.roles.fitting import Labelled, fit
from vision.roles.model import ROLES, RoleError, RoleModel, read_model
from zones.facility import Facility, Role

FOLDER = "roles"
"""Folder of the role models below the home folder."""
GENERAL_MODEL = "ppe"
"""Name of the general model that we ship, for facilities without labels."""
GENERAL_MODEL_FILE = registry.FOLDER / f"{GENERAL_MODEL}.json"
LEAST_RIGHT = 0.8
"""Least share of right roles, of the held-out people whom a model gives one. Project default
(docs/defaults.md)."""
MOST_UNKNOWN = 0.5
"""Largest share of held-out people whom a model may leave unknown. Project default (docs/defaults.md)."""
RUNTIME = "numpy-f64"
"""The form in which a role model runs, as runs and incidents record it."""


@dataclass(frozen=True)
class StoredRoleModel:
    """A role model and its file."""

    path: Path
    model: RoleModel


def model_path(home: Home, facility: Facility) -> Path:
    """Path of a facility's role model."""
    return home.path / FOLDER / f"{facility.code}.json"


def labels_path(home: Home, facility: Facility) -> Path:
    """Path of the labels of a facility's role model, from which it can be trained again."""
    return home.path / FOLDER / f"{facility.code}.labels.json"


def train_role_model(
    crops: Sequence[BodyCrop], roles: Sequence[Role], features: RoleFeatures, facility: Facility
) -> RoleModel:
    """Train a facility's role model on crops and their roles.

    Raises:
        RoleError: there are fewer than two roles, or too few people of a role.
    """
    labelled_roles = [role for role in ROLES if role in set(roles)]
    labelled = Labelled(
        features.read([(crop.image, crop.inside) for crop in crops]),
        _class_indices(roles, labelled_roles),
        [crop.track for crop in crops],
    )
    return fit(
        labelled,
        [(role,) for role in labelled_roles],
        features.identity,
        facility=facility.code,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        unknown_from=facility.rules.role_confidence,
    )


def refuse_weak(model: RoleModel) -> None:
    """Refuse a model that is wrong or silent too often to be of use, and say what to label next.

    Raises:
        RoleError: of the people held out it names less than `LEAST_RIGHT` rightly, or leaves more than
            `MOST_UNKNOWN` unknown.
    """
    figures = model.held_out
    right = figures.track_accuracy or 0.0
    if right >= LEAST_RIGHT and figures.tracks_unknown <= MOST_UNKNOWN:
        return
    worst = min(range(len(model.classes)), key=lambda k: (figures.recognised[k], model.counts[k].tracks))
    name, people = " or ".join(model.classes[worst]), model.counts[worst].tracks
    raise RoleError(
        f"expected a role model that is right for at least {LEAST_RIGHT:.0%} of those whom it gives a role, "
        f"and leaves at most {MOST_UNKNOWN:.0%} unknown, got {right:.0%} and {figures.tracks_unknown:.0%} of "
        f"{figures.tracks} people held out. It is not saved (--force saves it). Label more people as {name}: "
        f"{figures.recognised[worst]:.0%} of {people} were recognised"
    )


def save_role_model(home: Home, facility: Facility, model: RoleModel, labels: Sequence[Label]) -> Path:
    """Write a role model and its labels; each file is written atomically.

    Raises:
        RoleError: a file cannot be written.
    """
    path = model_path(home, facility)
    try:
        write_atomic(labels_path(home, facility), to_json(labels).encode())
        write_atomic(path, model.to_json().encode())
    except OSError as error:
        raise RoleError(f"{path}: cannot write the role model: {error.strerror or error}") from error
    return path


def find_role_model(home: Home, facility: Facility, wanted: str) -> Weights | None:
    """The file of the role model of a run, as runs and incidents record it; None = no role model.

    Args:
        home: the home folder.
        facility: the facility.
        wanted: "auto" for the facility's own model if there is one, "none", "ppe" for the general model that
            we ship, or the path of a role model.

    Raises:
        RoleError: there is no file at the path, or it is the model of another facility.
    """
    if wanted == "none":
        return None
    if wanted == GENERAL_MODEL:
        digest = registry.sha256(GENERAL_MODEL_FILE)
        return Weights(GENERAL_MODEL, GENERAL_MODEL_FILE, digest, None, True, RUNTIME)
    path = model_path(home, facility) if wanted == "auto" else Path(wanted)
    if not path.is_file():
        if wanted == "auto":
            return None
        raise RoleError(
            f"expected --roles auto, none, {GENERAL_MODEL} or the file of a role model, got {wanted!r}"
        )
    model = read_model(path)
    if model.facility not in (None, facility.code):
        raise RoleError(
            f"{path}: expected the role model of facility {facility.code}, got that of {model.facility}"
        )
    return Weights(f"roles-{path.stem}", path, registry.sha256(path), None, False, RUNTIME)


def load_role_model(home: Home, facility: Facility, name: str) -> StoredRoleModel:
    """Load the role model that an analysis would use.

    Args:
        home: the home.
        facility: the facility.
        name: auto (the home's own), ppe (general), or the file of a role model.

    Raises:
        RoleError: there is no such model.
    """
    weights = find_role_model(home, facility, name)
    if weights is None:
        raise RoleError(
            f"expected a role model at {model_path(home, facility)}, found none: "
            "make one with lazaretto roles label"
        )
    return StoredRoleModel(weights.path, read_model(weights.path))


def _class_indices(roles: Sequence[Role], labelled_roles: Sequence[Role]) -> np.ndarray:
    return np.array([labelled_roles.index(role) for role in roles], dtype=np.int64)


def describe_role_source(weights: Weights | None) -> str:
    """Where roles come from in a run, in a sentence for its user."""
    if weights is None:
        return "Roles come from zones and cameras alone; teach what is worn here with lazaretto roles label"
    if weights.name == GENERAL_MODEL:
        return (
            "Roles come from zones, cameras and the general model of protective clothing, which was not "
            "trained on medical clothing: teach what is worn here with lazaretto roles label"
        )
    return f"Roles come from zones, cameras and the role model {weights.path} ({weights.sha256[:12]})"
