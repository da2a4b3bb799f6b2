"""boxes.json: the people in each analysed picture of a clip, for a player that draws over the clip."""

from __future__ import annotations

import json
from typing import Literal, get_args

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from incidents.evidence.clips import ClipInfo
from incidents.evidence.originals import OriginalInfo
from vision.frames import SECOND, to_iso

SCHEMA_VERSION = 1
"""Version of boxes.json."""
MaskState = Literal["masked", "unmasked", "incorrect"]
MASK_STATES: tuple[MaskState, ...] = get_args(MaskState)


class _Model(BaseModel):
    """A frozen model that ignores fields of later versions."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class PersonBox(_Model):
    """One person in one picture."""

    track: str = Field(description="16 hexadecimal digits.")
    box: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2 as shares of the picture.")
    role: str | None = Field(default=None, description="Left out where it is not known.")
    mask: MaskState | None = Field(
        default=None, description="The most probable mask state; left out where it was not assessed."
    )


class Picture(_Model):
    """The people in one analysed picture."""

    t: float = Field(description="Seconds from the first picture of the clip.")
    people: list[PersonBox]


class KeyFrame(_Model):
    """The key frame of the incident."""

    t: int = Field(description="Stream time, microseconds UTC.")
    sha256: str = Field(description="Of the JPEG file, 64 hexadecimal digits.")


class BoxesFile(_Model):
    """The content of boxes.json."""

    version: int = Field(default=SCHEMA_VERSION, alias="schema", description="Version of this format.")
    start: str = Field(description="Stream time of the first picture of the clip, ISO 8601 UTC.")
    width: int = Field(description="Of the clip, px.")
    height: int = Field(description="Of the clip, px.")
    window: tuple[int, int] = Field(description="The time that the clip was asked for, microseconds UTC.")
    keyframe: KeyFrame
    clip: ClipInfo
    frames: list[Picture] = Field(description="Analysed pictures with at least one person.")
    original: OriginalInfo | None = Field(
        default=None, description="The recording itself, where the clip was encoded from it; else left out."
    )

    def to_json(self) -> bytes:
        """The content of the file; roles and mask states that are not known are left out."""
        content = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return json.dumps(content, separators=(",", ":")).encode()


def boxes_of(
    observations: pl.DataFrame,
    clip: ClipInfo,
    window: tuple[int, int],
    keyframe: KeyFrame,
    original: OriginalInfo | None = None,
) -> BoxesFile:
    """The people in a clip.

    Args:
        observations: rows of the observation log, of any time; `role` is an optional column.
        clip: the clip.
        window: the time that the clip was asked for, microseconds UTC.
        keyframe: the key frame of the incident.
        original: the recording beside the clip, or None.
    """
    moment = pl.col("t").dt.timestamp("us")
    rows = observations.filter((moment >= clip.start_us) & (moment < clip.end_us)).sort("t", "track")
    frames: dict[int, list[PersonBox]] = {}
    for row in rows.with_columns(moment.alias("t")).iter_rows(named=True):
        width, height = row["width"], row["height"]
        corners = (row["x1"] / width, row["y1"] / height, row["x2"] / width, row["y2"] / height)
        x1, y1, x2, y2 = (round(min(max(value, 0.0), 1.0), 4) for value in corners)
        known = {}
        if row.get("role") is not None:
            known["role"] = row["role"]
        masks = {state: row[f"mask_{state}"] for state in MASK_STATES}
        if all(value is not None for value in masks.values()):
            known["mask"] = max(masks, key=lambda state: masks[state])
        person = PersonBox(track=f"{row['track']:016x}", box=(x1, y1, x2, y2), **known)
        frames.setdefault(row["t"], []).append(person)
    beside = {} if original is None else {"original": original}
    return BoxesFile(
        schema=SCHEMA_VERSION,
        start=to_iso(clip.start_us),
        width=clip.width,
        height=clip.height,
        window=window,
        keyframe=keyframe,
        clip=clip,
        frames=[
            Picture(t=round((t - clip.start_us) / SECOND, 4), people=people) for t, people in frames.items()
        ],
        **beside,
    )
