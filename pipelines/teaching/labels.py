"""Labels for role training: the file format, and cutting the labelled people out of the footage.

The label page writes such files, and people can write them by hand. A label holds a position in footage, a
track and a role, but neither an image nor a feature vector of a person.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from vision import observations
from vision.frames import SECOND, Frame
from vision.roles.crops import CROPS_PER_TRACK, BodyCrop, cut_body
from vision.roles.model import ROLES, RoleError
from vision.sources.files import open_source
from zones.facility import Facility, Role

Px = Annotated[float, Field(allow_inf_nan=False)]


class Label(BaseModel):
    """The label of a person in one frame of a video, or of a whole track of the observation log.

    Attributes:
        video: path of the video, relative to the folder of the labels file.
        track: id of the person: crops with the same id are never in both training and test. Without a box,
            it is a track id of the observation log.
        role: the role of the person.
        frame: index of the frame, from 0; or
        time: seconds from the first frame.
        box: x1, y1, x2, y2 of the person, px of the upright frame with square pixels.
        source_fps: frame rate that replaces the file's timestamps.
        camera: id of the camera, whose `aspect_ratio` in the facility file counts; None = as the file states.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str = Field(min_length=1)
    track: str = Field(min_length=1, max_length=200)
    role: Role
    frame: int | None = Field(default=None, ge=0)
    time: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    box: tuple[Px, Px, Px, Px] | None = None
    source_fps: float | None = Field(default=None, gt=0, le=1000)
    camera: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _has_position(self) -> Self:
        if self.role not in ROLES:
            raise ValueError(f"expected a role among {', '.join(ROLES)}, got {self.role.value!r}")
        if self.box is not None:
            if (self.frame is None) == (self.time is None):
                raise ValueError("expected a frame or a time beside the box, and not both")
            if self.box[2] - self.box[0] < 4 or self.box[3] - self.box[1] < 4:
                raise ValueError("expected a box as x1, y1, x2, y2 in px, at least 4 px wide and high")
        elif self.frame is not None or self.time is not None:
            raise ValueError("expected a box beside the frame or time")
        return self


_LABELS = TypeAdapter(list[Label])


def read_labels(path: Path) -> list[Label]:
    """Read a labels file: JSON (a list of labels) or CSV (columns named as fields; x1, y1, x2, y2 for box).

    Raises:
        RoleError: the file cannot be read, or a label in it is invalid.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = _csv_rows(text) if path.suffix.lower() == ".csv" else json.loads(text)
        labels = _LABELS.validate_python(rows)
    except OSError as error:
        raise RoleError(f"{path}: cannot read the labels: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place, *rest = [str(part) for part in first["loc"]] or ["labels"]
        where = f"label {int(place) + 1}" if place.isdecimal() else place
        raise RoleError(f"{path}: {' '.join([where, *rest])}: {first['msg']}") from error
    except ValueError as error:
        raise RoleError(f"{path}: expected a labels file in JSON or CSV, got {error}") from error
    if not labels:
        raise RoleError(f"{path}: expected at least one label, got none")
    return labels


def to_json(labels: Sequence[Label]) -> str:
    """The content of a labels file with these labels."""
    rows = [label.model_dump(mode="json", exclude_none=True) for label in labels]
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def cut_labelled(
    labels: Sequence[Label], folder: Path, facility: Facility, home: Path | None = None
) -> list[tuple[Label, BodyCrop]]:
    """Cut the labelled people out of the footage.

    Args:
        labels: the labels.
        folder: folder of the labels file, to which the paths of videos are relative.
        facility: the facility, for its time zone and the aspect ratios of its cameras.
        home: home folder whose observation log has the tracks that are labelled without a box.

    Raises:
        RoleError: a label names a frame that a video does not have, or a track that the log does not have.
        SourceError: a video cannot be read.
    """
    found: list[tuple[Label, BodyCrop]] = []
    with_box = [label for label in labels if label.box is not None]
    with_box += _boxes_from_log([label for label in labels if label.box is None], home)
    aspects = {camera.id: camera.picture_aspect for camera in facility.cameras}
    for video, fps, camera in sorted({_place(label) for label in with_box}):
        wanted = [item for item in with_box if _place(item) == (video, fps, camera)]
        aspect = aspects.get(camera)
        source = open_source(folder / video, "labels", None, fps or None, facility.timezone, aspect)
        waiting = sorted(wanted, key=lambda label: (label.frame or 0, label.time or 0.0))
        for item in source.frames():
            if not waiting:
                break
            if isinstance(item, Frame):
                reached = [label for label in waiting if _reached(label, item, source.info.start_us)]
                found += [(label, _cut(label, item)) for label in reached]
                waiting = [label for label in waiting if label not in reached]
        if waiting:
            position = waiting[0].frame if waiting[0].time is None else f"{waiting[0].time:g} s"
            raise RoleError(f"{video}: expected footage up to frame {position}, where a label is, got less")
    return found


def _place(label: Label) -> tuple[str, float, str]:
    """What is opened to cut a label: the video, the frame rate given (0 = none), the camera ("" = none)."""
    return label.video, label.source_fps or 0.0, label.camera or ""


def _reached(label: Label, frame: Frame, start: int) -> bool:
    if label.time is not None:
        return frame.t - start >= round(label.time * SECOND) - 1000
    return label.frame == frame.index


def _cut(label: Label, frame: Frame) -> BodyCrop:
    height, width = frame.image.shape[:2]
    x1, y1, x2, y2 = label.box or (0.0, 0.0, 0.0, 0.0)
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        raise RoleError(
            f"{label.video}: expected boxes inside the frame of {width} x {height} px, "
            f"got {list(label.box or ())}"
        )
    return cut_body(frame, label.track, np.array([x1, y1, x2, y2]))


def _boxes_from_log(labels: Sequence[Label], home: Path | None) -> list[Label]:
    """Replace labels of whole tracks by labels of some of their boxes in the observation log."""
    if not labels:
        return []
    ids = {label.track: _track_id(label.track) for label in labels}
    wanted = pl.col("track").is_in([n for n in ids.values() if n is not None])
    tables = []
    if home is not None:
        for camera in observations.cameras(home):
            tables += [
                rows.filter(wanted)
                for _, rows in observations.read_hours(home, camera, *observations.ALL_TIME)
            ]
    logged = pl.concat([observations.empty(), *tables]).sort("t", maintain_order=True)
    with_box: list[Label] = []
    for label in labels:
        rows = logged.filter(pl.col("track").eq_missing(ids[label.track]))
        if rows.is_empty():
            raise RoleError(
                f"{label.video}: expected a box, or a track of the observation log of {home or 'a home'}, "
                f"got track {label.track!r}"
            )
        for row in rows.gather_every(max(1, -(-rows.height // CROPS_PER_TRACK))).to_dicts():
            box = (row["x1"], row["y1"], row["x2"], row["y2"])
            with_box.append(label.model_copy(update={"frame": row["frame"], "box": box}))
    return with_box


def _track_id(text: str) -> int | None:
    try:
        return int(text, 16) if len(text) == 16 else None
    except ValueError:
        return None


def _csv_rows(text: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for row in csv.DictReader(io.StringIO(text)):
        given: dict[str, object] = {name: value for name, value in row.items() if value not in (None, "")}
        corners = [given.pop(name) for name in ("x1", "y1", "x2", "y2") if name in given]
        rows.append(given | ({"box": corners} if corners else {}))
    return rows
