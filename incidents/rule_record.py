"""The part of an incident record that the rules write, as the ledger stores it.

It has no run and no follow-up: evaluating the same observations with the same facility file gives the same
text. That is how the ledger knows whether anything changed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, field_validator

SCHEMA_VERSION = 3
"""Version of the record's fields; a reader of exports checks it. 2 added `alerts` and `cumulative_s`; 3 added
the kind camera_health, `opened`, `measure`, `ongoing`, `cause` and the basis of each role."""

Kind = Literal["mask_absent", "mask_incorrect", "zone_crossing", "contact", "gathering", "camera_health"]
Severity = Literal["critical", "high", "medium", "low"]
EvidenceKind = Literal["clip", "keyframe", "boxes", "original"]
"""original = the recording itself, where the clip had to be encoded again because browsers do not play it,
such as H.265. Each incident that a camera saw has the others."""
KINDS: tuple[Kind, ...] = get_args(Kind)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
EVIDENCE_KINDS: tuple[EvidenceKind, ...] = get_args(EvidenceKind)
NEEDED_EVIDENCE = frozenset[EvidenceKind]({"clip", "keyframe", "boxes"})
"""Without these, the evidence of an incident is not complete."""
EvidenceForm = Literal["original", "viewing"]
"""original = as it was cut from the recording and sealed; a clip is encoded again only where the recording
could not be copied, and `boxes.json` says which (`clip.mode`). viewing = a copy made from an original to be
shown, such as one that every browser plays, or one in which people are blurred."""
EVIDENCE_FORMS: tuple[EvidenceForm, ...] = get_args(EvidenceForm)


class RuleRecord(BaseModel):
    """What the rules recorded of an incident; `incidents.record.Incident` documents the fields.

    A track is (id, role, confidence of the role, basis of the role); a measure is (name, value, threshold).
    Records of schema versions 1 and 2 are read with the defaults below.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str
    schema_version: int
    facility_code: str
    facility_name: str
    managing_body: str
    facility_version: str
    timezone: str
    camera: str
    zone: str | None
    kind: Kind
    subkind: str
    severity: Severity
    start: int
    end: int
    opened: int | None = None
    ongoing: bool = False
    alerts: tuple[int, ...] = ()
    measure: tuple[str, float, float] | None = None
    cause: str = ""
    tracks: tuple[tuple[str, str, float | None, str], ...]
    distance_min: float | None
    distance_median: float | None
    distance_se: float | None
    cumulative_s: float | None = None
    mask_state: str | None
    assessable_share: float | None
    detector_confidence: float | None
    rule_confidence: float | None
    models: dict[str, dict[str, str]]
    rule_pack: str
    thresholds: dict[str, float | str | None]
    coverage_share: float | None

    @field_validator("tracks", mode="before")
    @classmethod
    def _tracks_without_basis(cls, tracks: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """Before schema version 3, a track had no basis."""
        return [(*track, "") if len(track) == 3 else tuple(track) for track in tracks]

    def to_json(self) -> str:
        """Canonical JSON text: equal records give equal text, with the keys in alphabetical order."""
        return json.dumps(self.model_dump(), sort_keys=True, ensure_ascii=False, allow_nan=False)
