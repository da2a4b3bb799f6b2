"""Teach the roles of a facility: collect crops to label, or read a labels file, and train the role model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from incidents.files import write_atomic
from models import registry
from models.devices import Device
from pipelines.assignment import Footage
from pipelines.home import Home
from pipelines.teaching.crops import collect_crops
from pipelines.teaching.labels import Label, cut_labelled, read_labels
from pipelines.teaching.ppe import train_general_model
from pipelines.teaching.role_model import (
    GENERAL_MODEL_FILE,
    StoredRoleModel,
    refuse_weak,
    save_role_model,
    train_role_model,
)
from vision.appearance import AppearanceReader
from vision.networks import ModelBundle, Models, PerceptionSettings
from vision.roles.crops import BodyCrop
from vision.roles.features import RoleFeatures
from vision.roles.grouping import group_by_appearance, split_in_two
from vision.roles.model import RoleError
from vision.sources.files import FileSource
from zones.facility import Facility, Role

MIN_MASK_CHECK_HZ = 1e-6
"""Rate of mask checks while crops are collected: one check of each head, the first, is the least possible."""

Progress = Callable[[int, int], None]
"""Called with what is done and the total (0 = unknown)."""


@dataclass(frozen=True)
class CropSet:
    """Crops of the persons in footage, to be labelled. They are in memory only.

    Attributes:
        facility: the facility whose roles are taught.
        crops: crops with their sources, track by track.
        vectors: (N, D) the features of each crop.
        features: the reader that made them.
        source_fps: frame rate that was given for the sources; None = their own.
    """

    facility: Facility
    crops: Sequence[tuple[FileSource, BodyCrop]]
    vectors: np.ndarray
    features: RoleFeatures
    source_fps: float | None

    @property
    def tracks(self) -> list[str]:
        """The track of each crop."""
        return [crop.track for _, crop in self.crops]

    def group(self) -> list[list[str]]:
        """Group the tracks by appearance, the largest group first."""
        return group_by_appearance(self.vectors, self.tracks, self.features.dimension_of_appearance)

    def split(self, group: Sequence[str]) -> list[list[str]]:
        """Split a group of tracks in two by appearance; a group of one track stays as it is."""
        tracks = self.tracks
        own = [n for n, track in enumerate(tracks) if track in group]
        return split_in_two(
            self.vectors[own], [tracks[n] for n in own], self.features.dimension_of_appearance
        )

    def train(self, home: Home, labels: Mapping[int, Role], force: bool = False) -> StoredRoleModel:
        """Train the role model of the facility and save it with its labels.

        Args:
            home: where the model is saved.
            labels: index of a crop -> its role.
            force: save a model that is wrong or silent too often, too.

        Raises:
            RoleError: fewer than two roles, too few tracks of one, a weak model, or the files cannot be
                written.
        """
        order = sorted(labels)
        roles = [labels[n] for n in order]
        model = train_role_model([self.crops[n][1] for n in order], roles, self.features, self.facility)
        if not force:
            refuse_weak(model)
        places = [self._label(n, role) for n, role in zip(order, roles, strict=True)]
        return StoredRoleModel(save_role_model(home, self.facility, model, places), model)

    def _label(self, index: int, role: Role) -> Label:
        source, crop = self.crops[index]
        x1, y1, x2, y2 = (round(v, 1) for v in crop.box)
        return Label(
            video=str(source.info.path.absolute()),
            track=crop.track,
            role=role,
            frame=crop.frame,
            box=(x1, y1, x2, y2),
            source_fps=self.source_fps,
            camera=source.camera,
        )


def collect_crop_set(
    footage: Sequence[Footage],
    facility: Facility,
    device: Device,
    *,
    fps: float,
    imgsz: int,
    person: str,
    appearance: str,
    source_fps: float | None = None,
    progress: Progress = lambda *_: None,
) -> CropSet:
    """Track the persons in footage and collect crops of them, for a person to label.

    Args:
        footage: files with their cameras.
        facility: the facility whose roles are taught.
        device: where the networks run.
        fps: most frames to analyse per second.
        imgsz: longer side of the image for person detection, px.
        person: person weights.
        appearance: appearance weights.
        source_fps: frame rate that replaces the timestamps of the sources.
        progress: called with the microseconds of footage done, and those in all.

    Raises:
        RoleError: no person is large enough.
        SourceError: a source cannot be read.
    """
    features = load_features(device, appearance)
    settings = PerceptionSettings(fps=fps, imgsz=imgsz, mask_check_hz=MIN_MASK_CHECK_HZ)
    bundle = ModelBundle.load(device, settings, Models(person=person))
    found = collect_crops(footage, bundle, facility, source_fps, lambda _, done, total: progress(done, total))
    if not found:
        raise RoleError(
            "expected footage with people large enough to see their clothes, got none: "
            "check that --imgsz suits the distance"
        )
    vectors = features.read([(crop.image, crop.inside) for _, crop in found])
    return CropSet(facility, found, vectors, features, source_fps)


def train_from_labels(
    labels: Path, home: Home, facility: Facility, device: Device, appearance: str, force: bool = False
) -> StoredRoleModel:
    """Train the role model of a facility from a labels file, and save it with the labels.

    Args:
        labels: JSON or CSV; relative videos are taken from its folder.
        home: where the model is saved; its observation log has the tracks labelled without a box.
        facility: the facility.
        device: where the appearance network runs.
        appearance: appearance weights.
        force: save a model that is wrong or silent too often, too.

    Raises:
        RoleError: the labels cannot be read or do not suffice, the model is weak, or the files cannot be
            written.
        SourceError: a video cannot be read.
    """
    wanted = read_labels(labels)
    home.prepare()
    found = cut_labelled(wanted, labels.parent, facility, home.path)
    features = load_features(device, appearance)
    model = train_role_model(
        [crop for _, crop in found], [item.role for item, _ in found], features, facility
    )
    if not force:
        refuse_weak(model)
    absolute = [
        item.model_copy(update={"video": str((labels.parent / item.video).absolute())}) for item, _ in found
    ]
    return StoredRoleModel(save_role_model(home, facility, model, absolute), model)


def train_general(
    data: Path,
    device: Device,
    appearance: str,
    *,
    output: Path | None = None,
    publish: bool = False,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Train the general model of protective clothing by its recipe; returns its figures.

    Args:
        data: folder with the public sources in `data/`.
        device: where the appearance network runs.
        appearance: appearance weights.
        output: also write the model here.
        publish: replace the model that is shipped with this checkout.
        progress: called with the persons read, and those in all.

    Raises:
        ModelError: the data is missing.
    """
    model, figures = train_general_model(data / "data", load_features(device, appearance), progress)
    for path in (output, GENERAL_MODEL_FILE if publish else None):
        if path is not None:
            write_atomic(path, model.to_json().encode())
    return {**figures, "cross-validation": model.held_out.model_dump()}


def load_features(device: Device, appearance: str) -> RoleFeatures:
    """Load the reader of the features from which roles are learned."""
    return RoleFeatures(AppearanceReader(registry.resolve(appearance), device))
