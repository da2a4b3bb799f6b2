"""An incident as one flat row for a spreadsheet."""

from __future__ import annotations

from incidents.local_time import local_iso
from incidents.record import Incident

COLUMNS = (
    *("id", "schema_version", "status", "facility_code", "facility_name", "managing_body"),
    *("camera", "zone", "facility_version", "start", "end", "duration_s", "alerts"),
    *("kind", "subkind", "severity", "tracks"),
    *("distance_min_m", "distance_median_m", "distance_se_m", "cumulative_s"),
    *("mask_state", "assessable_share"),
    *("detector_confidence", "rule_confidence", "models", "models_sha256", "rule_pack", "thresholds"),
    *("coverage_share", "clip_uri", "clip_sha256", "keyframe_uri", "keyframe_sha256"),
    *("reviewer", "decision", "reason", "decided_at", "facility_action", "report_number"),
)
"""Columns of a row: everything that the Department of Health asks of a record."""


def row_of(incident: Incident) -> dict[str, str | int | float | None]:
    """The record as one flat row; the keys are `COLUMNS`, in that order.

    Several values in one cell are separated by "; ".
    """
    one = incident
    clip, keyframe = one.evidence_of_kind("clip"), one.evidence_of_kind("keyframe")
    people = "; ".join(f"{t.id} {t.role} {_short(t.confidence)}" for t in one.tracks)
    names = "; ".join(f"{purpose}: {model.get('name', '')}" for purpose, model in one.models.items())
    digests = "; ".join(f"{purpose}: {model.get('sha256', '')}" for purpose, model in one.models.items())
    limits = "; ".join(f"{name}={value}" for name, value in one.thresholds.items())
    start, end = local_iso(one.start, one.timezone), local_iso(one.end, one.timezone)
    alerts = "; ".join(local_iso(moment, one.timezone) for moment in one.alerts)
    values: tuple[str | int | float | None, ...] = (
        *(one.id, one.schema_version, one.status.value),
        *(one.facility_code, one.facility_name, one.managing_body),
        *(one.camera, one.zone, one.facility_version, start, end, one.duration_s, alerts),
        *(one.kind, one.subkind, one.severity, people),
        *(one.distance_min, one.distance_median, one.distance_se, one.cumulative_s),
        *(one.mask_state, one.assessable_share),
        *(one.detector_confidence, one.rule_confidence, names, digests, one.rule_pack, limits),
        one.coverage_share,
        *((clip.path, clip.sha256) if clip else (None, None)),
        *((keyframe.path, keyframe.sha256) if keyframe else (None, None)),
        *(one.reviewer, one.decision, one.reason, one.decided),
        *(one.facility_action, one.report_number),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _short(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"
