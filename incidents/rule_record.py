"""The part of an incident record that the rules write, as the ledger stores it.

It has no run and no follow-up: evaluating the same observations with the same facility file gives the same
text. That is how the ledger knows whether anything changed.
"""

from __future__ import annotations

import json
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 2
"""Version of the record's fields; a reader of exports checks it. 2 added `alerts` and `cumulative_s`."""

Kind = Literal["mask_absent", "mask_incorrect", "zone_crossing", "contact", "gathering"]
Severity = Literal["critical", "high", "medium", "low"]
EvidenceKind = Literal["clip", "keyframe", "boxes"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
EVIDENCE_KINDS: tuple[EvidenceKind, ...] = get_args(EvidenceKind)


class RuleRecord(BaseModel):
    """What the rules recorded of an incident; `incidents.record.Incident` documents the fields.

    A track is (id, role, confidence of the role).
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
    # Records of schema version 1 have neither alerts nor cumulative_s.
    alerts: tuple[int, ...] = ()
    tracks: tuple[tuple[str, str, float | None], ...]
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

    def to_json(self) -> str:
        """Canonical JSON text: equal records give equal text, with the keys in alphabetical order."""
        return json.dumps(self.model_dump(), sort_keys=True, ensure_ascii=False, allow_nan=False)
