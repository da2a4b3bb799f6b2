"""A site's role model: trained from labelled crops, kept below its home, found again."""

from __future__ import annotations

from collections.abc import Sequence
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
GENERAL_MODEL = "ppe"
"""Name of the model that is ours, for a site without labels."""
GENERAL_MODEL_FILE = registry.FOLDER / f"{GENERAL_MODEL}.json"
RUNTIME = "numpy-f64"
"""The form in which a role model runs, as runs and incidents record it."""


def model_path(home: Home, facility: Facility) -> Path:
    """Where a facility's role model is kept."""
    return home.path / FOLDER / f"{facility.code}.json"


def labels_path(home: Home, facility: Facility) -> Path:
    """Where the places of its labels are kept, to train it anew from the footage."""
    return home.path / FOLDER / f"{facility.code}.labels.json"


def train_role_model(
    crops: Sequence[BodyCrop], roles: Sequence[Role], features: RoleFeatures, facility: Facility
) -> RoleModel:
    """Train a facility's model on crops and their roles.

    Raises:
        RoleError: fewer than two roles, or too few people of one.
    """
    present = [role for role in ROLES if role in set(roles)]
    labelled = Labelled(
        features.read([(crop.image, crop.inside) for crop in crops]),
        _numbers(roles, present),
        [crop.track for crop in crops],
    )
    return fit(
        labelled,
        [(role,) for role in present],
        features.identity,
        facility=facility.code,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        unknown_from=facility.rules.role_confidence,
    )


def save_role_model(home: Home, facility: Facility, model: RoleModel, labels: Sequence[Label]) -> Path:
    """Write a model and the places of its labels; each file is afterwards whole, or as it was.

    Raises:
        RoleError: the disk refuses it.
    """
    path = model_path(home, facility)
    try:
        write_atomic(labels_path(home, facility), to_json(labels).encode())
        write_atomic(path, model.to_json().encode())
    except OSError as error:
        raise RoleError(f"{path}: cannot keep the role model: {error.strerror or error}") from error
    return path


def find_role_model(home: Home, facility: Facility, wanted: str) -> Weights | None:
    """The role model of a run, as the file that runs and incidents record.

    Args:
        home: the site's folder.
        facility: whose roles.
        wanted: "auto" for the facility's own where there is one, "none", "ppe" for the general one that we
            ship, or the path of a role model's file.

    Raises:
        RoleError: the path leads nowhere, or to a model of another facility.
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


def _numbers(roles: Sequence[Role], present: Sequence[Role]) -> np.ndarray:
    return np.array([present.index(role) for role in roles], dtype=np.int64)


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
