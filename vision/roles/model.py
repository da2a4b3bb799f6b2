"""Role models: the file of a trained classifier, and the role probabilities that it gives.

The file holds no image, no feature vector of a person and no name. It holds coefficients, means over at least
two people of a role, counts, and figures on held-out people.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy.special import softmax

from zones.errors import LazarettoError
from zones.facility import Role

ROLES = (Role.RESIDENT, Role.STAFF_PPE, Role.STAFF_NO_PPE, Role.OUTSIDER)
"""The roles that a person can have, in the order of the role columns of the observation log."""
ROLE_COLUMNS = tuple(f"role_{role.value}" for role in ROLES)
FORMAT = "lazaretto-roles-1"

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class RoleError(LazarettoError):
    """A role model, or the labels for one, cannot be read or used."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureIdentity(_Strict):
    """Identity of the features that a model was trained on; it cannot be used with others."""

    appearance: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the appearance weights.")
    colour: str = Field(description="Version of the colour histograms.")
    dimension: int = Field(ge=1)


class LabelCount(_Strict):
    """Number of labels of one class that a model was trained on."""

    crops: Count
    tracks: Count


class HeldOut(_Strict):
    """Figures from cross-validation in which no person is in both training and test."""

    folds: Count
    tracks: Count
    crops: Count
    crop_accuracy: Part = Field(description="Share of right classes, of the crops that the guard accepts.")
    calibration_error: Part = Field(description="Expected calibration error of crops, ten bins.")
    unknown_from: Part = Field(description="Confidence below which a track counts as unknown.")
    tracks_unknown: Part = Field(description="Share of tracks that stay unknown.")
    track_accuracy: Part | None = Field(description="Share of right classes, of the tracks that are known.")
    tracks_wrong: Part = Field(description="Share of all tracks that get a wrong class.")
    recognised: tuple[Part, ...] = Field(
        default=(),
        description="Share of each class's tracks that get it; empty in models without this figure.",
    )


class RoleModel(_Strict):
    """A trained classifier of body crops.

    Shapes: D features, K classes. A crop's standardised features are z = (x - mean) / scale; its logits
    (coefficients @ z + intercepts) / temperature; its probabilities their softmax. The guard's distance
    is the root mean square, over the features, of (z - centre) / spread, to the nearest centre.
    """

    format: str = Field(default=FORMAT, pattern=f"^{FORMAT}$")
    facility: str | None = Field(description="Code of the facility that the model is for; null = any.")
    made: str = Field(description="When it was trained, ISO 8601.")
    features: FeatureIdentity
    classes: tuple[tuple[Role, ...], ...] = Field(
        min_length=2,
        description="Each class stands for one role, or for several that the model does not distinguish.",
    )
    mean: tuple[Number, ...]
    scale: tuple[Positive, ...]
    coefficients: tuple[tuple[Number, ...], ...]
    intercepts: tuple[Number, ...]
    temperature: Positive
    centres: tuple[tuple[Number, ...], ...] = Field(description="Means of z by class; empty = no guard.")
    spread: tuple[Positive, ...] = Field(description="Standard deviation of z within a class.")
    guard: Positive | None = Field(description="Maximum distance of a person similar to labelled people.")
    counts: tuple[LabelCount, ...]
    held_out: HeldOut

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        size, classes = self.features.dimension, len(self.classes)
        wanted = {
            "mean": (self.mean, size),
            "scale": (self.scale, size),
            "coefficients": (self.coefficients, classes),
            "intercepts": (self.intercepts, classes),
            "counts": (self.counts, classes),
            **{f"coefficients[{k}]": (row, size) for k, row in enumerate(self.coefficients)},
        }
        if self.guard is not None:
            wanted |= {"centres": (self.centres, classes), "spread": (self.spread, size)}
            wanted |= {f"centres[{k}]": (row, size) for k, row in enumerate(self.centres)}
        for name, (values, length) in wanted.items():
            if len(values) != length:
                raise ValueError(f"{name}: expected {length} values, got {len(values)}")
        named = sorted(role for members in self.classes for role in members)
        if Role.UNKNOWN in named or any(a == b for a, b in pairwise(named)) or not all(self.classes):
            raise ValueError("classes: expected roles other than unknown, each once, in every class")
        return self

    def to_json(self) -> str:
        """The content of the model's file, one field per line."""
        fields = self.model_dump(mode="json").items()
        return (
            "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields) + "\n}\n"
        )


def read_model(path: Path) -> RoleModel:
    """Read a role model's file.

    Raises:
        RoleError: the file cannot be read, or is not a role model.
    """
    try:
        return RoleModel.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RoleError(f"{path}: cannot read the role model: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        fault = f"{place}: {first['msg']}" if place else first["msg"]
        raise RoleError(f"{path}: expected a role model, got a file with {fault}") from error


class RoleClassifier:
    """Applies a role model to features."""

    def __init__(self, model: RoleModel) -> None:
        """Prepare the arrays."""
        self.model = model
        self._mean, self._scale = np.asarray(model.mean), np.asarray(model.scale)
        self._coefficients = np.asarray(model.coefficients)
        self._intercepts = np.asarray(model.intercepts)
        self._centres, self._spread = np.asarray(model.centres), np.asarray(model.spread)

    def classes(self, features: np.ndarray) -> np.ndarray:
        """Calibrated class probabilities (N, K); zeros for people unlike all labelled people."""
        z = (np.asarray(features, dtype=np.float64) - self._mean) / self._scale
        logits = (z @ self._coefficients.T + self._intercepts) / self.model.temperature
        shares = np.asarray(softmax(logits, axis=1))
        if self.model.guard is not None:
            shares[distances(z, self._centres, self._spread).min(axis=1) > self.model.guard] = 0
        return shares

    def roles(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (N, R) of ROLES, under equal prior probabilities of the roles.

        NaN for roles that the model does not know; rows of zeros for people unlike all labelled people. Roles
        that share a class share its probability equally.
        """
        shares = self.classes(features)
        result = np.full((len(shares), len(ROLES)), np.nan)
        # Training gives classes equal weight; a class of three roles has three times the prior of one role.
        sizes = np.array([len(members) for members in self.model.classes], dtype=np.float64)
        total = shares @ sizes
        for k, members in enumerate(self.model.classes):
            part = np.divide(shares[:, k], total, out=np.zeros(len(shares)), where=total > 0)
            for role in members:
                result[:, ROLES.index(role)] = part
        return result


def distances(z: np.ndarray, centres: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Distances (N, K) of standardised features (N, D) to class centres (K, D); see `RoleModel`."""
    scaled = (z[:, None, :] - centres[None]) / spread
    return np.asarray(np.sqrt((scaled**2).mean(axis=2)))
