"""What was learned of the clothes of roles: a file of coefficients, and the probabilities they give.

The file holds no picture, no vector of a person and no name: coefficients, averages over at least two
people of a role, counts, and how good it was on people it had not seen.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zones.errors import LazarettoError
from zones.facility import Role

ROLES = (Role.RESIDENT, Role.STAFF_PPE, Role.STAFF_NO_PPE, Role.OUTSIDER)
"""The roles that a person can have, in the order of the columns of the observation log."""
COLUMNS = tuple(f"role_{role.value}" for role in ROLES)
FORMAT = "lazaretto-roles-1"

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class RoleError(LazarettoError):
    """A role model, or the labels for one, are not what was expected."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureIdentity(_Strict):
    """Which features a model was trained on; others mean nothing to it."""

    appearance: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the appearance weights.")
    colour: str = Field(description="Version of the colour statistics.")
    dimension: int = Field(ge=1)


class LabelCount(_Strict):
    """How many labels of one class a model was trained on."""

    crops: Count
    tracks: Count


class HeldOut(_Strict):
    """Figures from cross-validation in which no person is on both sides."""

    folds: Count
    tracks: Count
    crops: Count
    crop_accuracy: Part = Field(
        description="Share whose likeliest class is right, of crops like those labelled."
    )
    calibration_error: Part = Field(description="Expected calibration error of crops, ten bins.")
    unknown_from: Part = Field(description="Confidence under which a track counts as unknown below.")
    tracks_unknown: Part = Field(description="Share of tracks left unknown.")
    track_accuracy: Part | None = Field(description="Share right of the tracks not left unknown.")
    tracks_wrong: Part = Field(description="Share of all tracks given a wrong class.")


class RoleModel(_Strict):
    """A trained classifier of body crops.

    Shapes: D features, K classes. A crop's standardised features are z = (x - mean) / scale; its logits
    (coefficients @ z + intercepts) / temperature; its probabilities their softmax. The guard's distance
    is the root mean square, over the features, of (z - centre) / spread, to the nearest centre.
    """

    format: str = Field(default=FORMAT, pattern=f"^{FORMAT}$")
    facility: str | None = Field(description="Code of the facility it is for; null = any.")
    made: str = Field(description="When it was trained, ISO 8601.")
    features: FeatureIdentity
    classes: tuple[tuple[Role, ...], ...] = Field(
        min_length=2, description="Each class stands for one role, or for several that it cannot tell apart."
    )
    mean: tuple[Number, ...]
    scale: tuple[Positive, ...]
    coefficients: tuple[tuple[Number, ...], ...]
    intercepts: tuple[Number, ...]
    temperature: Positive
    centres: tuple[tuple[Number, ...], ...] = Field(description="Means of z by class; empty = no guard.")
    spread: tuple[Positive, ...] = Field(description="Of z within a class.")
    guard: Positive | None = Field(description="Largest distance of a person like those labelled.")
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
        """The content of its file, one field a line."""
        fields = self.model_dump(mode="json").items()
        return (
            "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields) + "\n}\n"
        )


def read_model(path: Path) -> RoleModel:
    """Read a role model's file.

    Raises:
        RoleError: it cannot be read, or is not a role model.
    """
    try:
        return RoleModel.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RoleError(f"{path}: cannot read the role model: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        said = f"{place}: {first['msg']}" if place else first["msg"]
        raise RoleError(f"{path}: expected a role model, got a file with {said}") from error


class RoleClassifier:
    """A role model at work."""

    def __init__(self, model: RoleModel) -> None:
        """Prepare the arrays."""
        self.model = model
        self._mean, self._scale = np.asarray(model.mean), np.asarray(model.scale)
        self._coefficients = np.asarray(model.coefficients)
        self._intercepts = np.asarray(model.intercepts)
        self._centres, self._spread = np.asarray(model.centres), np.asarray(model.spread)

    def classes(self, features: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (N, K) of the classes; rows of zeros for people like nobody labelled."""
        z = (np.asarray(features, dtype=np.float64) - self._mean) / self._scale
        shares = softmax((z @ self._coefficients.T + self._intercepts) / self.model.temperature)
        if self.model.guard is not None:
            shares[distances(z, self._centres, self._spread).min(axis=1) > self.model.guard] = 0
        return shares

    def roles(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (N, R) of ROLES, as if all had been equally probable before.

        NaN for roles that the model does not know; rows of zeros for people like nobody labelled. Roles
        that share a class share its probability evenly.
        """
        shares = self.classes(features)
        result = np.full((len(shares), len(ROLES)), np.nan)
        # Training balances classes; a class of three roles then stands for three times the prior.
        sizes = np.array([len(members) for members in self.model.classes], dtype=np.float64)
        total = shares @ sizes
        for k, members in enumerate(self.model.classes):
            part = np.divide(shares[:, k], total, out=np.zeros(len(shares)), where=total > 0)
            for role in members:
                result[:, ROLES.index(role)] = part
        return result


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (N, K) of logits (N, K)."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def distances(z: np.ndarray, centres: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Distances (N, K) of standardised features (N, D) to the centres (K, D) of classes."""
    scaled = (z[:, None, :] - centres[None]) / spread
    return np.asarray(np.sqrt((scaled**2).mean(axis=2)))
