"""Export of incidents: CSV for spreadsheet programs, JSON for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from incidents.files import ExportError, write_atomic
from incidents.local_time import local_iso
from incidents.payloads import IncidentPayload, IncidentWithSealsPayload
from incidents.record import Incident, Track
from incidents.rules.events import Basis, Measure
from incidents.seals import SealCheck, seals_text

COLUMNS = (
    *("id", "schema_version", "status", "facility_code", "facility_name", "managing_body"),
    *("camera", "zone", "facility_version", "start", "end", "duration_s"),
    *("opened", "ongoing", "alerts", "measure"),
    *("kind", "subkind", "severity", "cause", "tracks"),
    *("distance_min_m", "distance_median_m", "distance_se_m", "cumulative_s"),
    *("mask_state", "assessable_share"),
    *("detector_confidence", "rule_confidence", "models", "models_sha256", "rule_pack", "thresholds"),
    *("coverage_share", "clip_uri", "clip_sha256", "keyframe_uri", "keyframe_sha256"),
    *("reviewer", "decision", "reason", "decided_at", "facility_action", "report_number"),
    *("second_look", "withdrawn_reason", "replaced_by", "replaces"),
    *("viewing_clip_uri", "viewing_clip_sha256", "evidence_seals"),
)
"""Columns of a row: every field that the Department of Health requires of a record."""
_BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


PLAIN_FORMS = ("openvino-f32", "torch-f32", "numpy-f64")
"""Forms in which networks, and role models, run where no other was chosen."""


def named_form(model: Mapping[str, str]) -> str | None:
    """The form in which a network ran; None for the plain one, and where none was recorded."""
    runtime = model.get("runtime", "")
    return None if runtime in ("", *PLAIN_FORMS) else runtime


def models_text(models: Mapping[str, Mapping[str, str]]) -> str:
    """The networks by purpose, each with its form where that is not the plain one."""
    named = ((purpose, model.get("name", ""), named_form(model)) for purpose, model in models.items())
    return "; ".join(f"{purpose}: {name}" + (f" ({form})" if form else "") for purpose, name, form in named)


def row_of(
    incident: Incident, checks: Sequence[SealCheck] | None = None
) -> dict[str, str | int | float | None]:
    """An incident as one flat row; the keys are `COLUMNS`, in that order.

    Several values in one cell are separated by "; ". `checks`: of its sealed files; None = not checked.
    """
    one = incident
    clip, keyframe = one.evidence_of_kind("clip"), one.evidence_of_kind("keyframe")
    viewing = next((item for item in one.viewing if item.kind == "clip"), None)
    people = "; ".join(f"{track.id} {belief_text(track)}" for track in one.tracks)
    digests = "; ".join(f"{purpose}: {model.get('sha256', '')}" for purpose, model in one.models.items())
    limits = "; ".join(f"{name}={value}" for name, value in one.thresholds.items())
    start, end = local_iso(one.start, one.timezone), local_iso(one.end, one.timezone)
    opened = None if one.opened is None else local_iso(one.opened, one.timezone)
    decided = None if one.decided_at is None else local_iso(one.decided_at, one.timezone)
    alerts = "; ".join(local_iso(moment, one.timezone) for moment in one.alerts)
    values: tuple[str | int | float | None, ...] = (
        *(one.id, one.schema_version, one.status.value),
        *(one.facility_code, one.facility_name, one.managing_body),
        *(one.camera, one.zone, one.facility_version, start, end, one.duration_s),
        *(opened, "yes" if one.ongoing else "no", alerts, measure_text(one.measure)),
        *(one.kind, one.subkind, one.severity, one.cause, people),
        *(one.distance_min, one.distance_median, one.distance_se, one.cumulative_s),
        *(one.mask_state, one.assessable_share),
        *(
            one.detector_confidence,
            one.rule_confidence,
            models_text(one.models),
            digests,
            one.rule_pack,
            limits,
        ),
        one.coverage_share,
        *((clip.path, clip.sha256) if clip else (None, None)),
        *((keyframe.path, keyframe.sha256) if keyframe else (None, None)),
        *(one.reviewer, one.decision, one.reason, decided),
        *(one.facility_action, one.report_number),
        *(one.second_look, one.withdrawn_reason, one.replaced_by, "; ".join(one.replaces)),
        *((viewing.path, viewing.sha256) if viewing else (None, None)),
        "not checked" if checks is None else seals_text(checks),
    )
    return dict(zip(COLUMNS, values, strict=True))


def belief_text(track: Track) -> str:
    """A role with what it rests on: "staff_ppe 0.93 (clothes)", "resident (camera default)"."""
    if track.basis == Basis.NONE:
        return track.role if track.confidence is None else f"{track.role} {track.confidence:.2f}"
    if not track.basis:
        return f"{track.role} {_short(track.confidence)}"
    sure = "" if track.confidence is None else f" {track.confidence:.2f}"
    return f"{track.role}{sure} ({track.basis})"


def measure_text(measure: Measure | None) -> str:
    """A measure in words: "held 2.4 s, threshold 2.0 s"; empty where there is none."""
    if measure is None:
        return ""
    name, value, threshold = measure.name, measure.value, measure.threshold
    if name.endswith("_s"):
        return f"{name[:-2].replace('_', ' ')} {value:.1f} s, threshold {threshold:.1f} s"
    if name.endswith("_share"):
        return f"{name.replace('_', ' ')} {value:.0%}, threshold {threshold:.0%}"
    return f"{name.replace('_', ' ')} {value:g}, threshold {threshold:g}"


Checks = Mapping[str, Sequence[SealCheck]]
"""The sealed files that were checked, by the id of the incident."""


def check_name(path: Path) -> None:
    """See that a file can be exported to, before files of evidence are read.

    Raises:
        ExportError: the name ends neither in .csv nor in .json.
    """
    if path.suffix not in (".csv", ".json"):
        raise ExportError(f"expected a file ending in .csv or .json, got {path.name}")


def export_file(incidents: Iterable[Incident], path: Path, checks: Checks) -> None:
    """Write incidents with the state of their evidence to a CSV or JSON file, as the ending of its name says.

    Raises:
        ExportError: the name ends otherwise, or the file cannot be written.
    """
    check_name(path)
    if path.suffix == ".csv":
        to_csv(incidents, path, checks)
    else:
        to_json(incidents, path, checks)


def to_csv(incidents: Iterable[Incident], target: str | Path | TextIO, checks: Checks | None = None) -> None:
    """Write incidents as CSV: UTF-8 with BOM, a header (`COLUMNS`), one row each, CRLF.

    Text that a spreadsheet program would read as a formula gets an apostrophe in front; numbers stay
    numbers. A file is written whole or left as it was. Open a stream with newline="". Without `checks`,
    the column `evidence_seals` says that nothing was checked.

    Raises:
        ExportError: the file cannot be written.
    """
    table = io.StringIO(newline="")
    table.write(_BOM)
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for incident in incidents:
        row = row_of(incident, None if checks is None else checks.get(incident.id, ()))
        writer.writerow([_cell(value) for value in row.values()])
    _write(table.getvalue(), target)


def to_json(
    incidents: Iterable[Incident],
    target: str | Path | TextIO | None = None,
    checks: Checks | None = None,
) -> str:
    """Incidents as a JSON array (`incidents.payloads.IncidentPayload`), also written to `target` if given.

    With `checks`, of `IncidentWithSealsPayload`.

    Raises:
        ExportError: the file cannot be written.
    """
    if checks is None:
        records = [IncidentPayload.of(incident).to_dict() for incident in incidents]
    else:
        records = [
            IncidentWithSealsPayload.with_seals(incident, checks.get(incident.id, ())).to_dict()
            for incident in incidents
        ]
    text = json.dumps(records, ensure_ascii=False, allow_nan=False, indent=2)
    if target is not None:
        _write(text + "\n", target)
    return text


def _write(text: str, target: str | Path | TextIO) -> None:
    if not isinstance(target, (str, Path)):
        target.write(text)
        return
    try:
        write_atomic(Path(target), text.encode())
    except OSError as error:
        raise ExportError(f"the export {target} cannot be written: {error.strerror or error}") from error


def _cell(value: str | int | float | None) -> str | int | float | None:
    # A leading blank does not stop every spreadsheet from reading a formula.
    if isinstance(value, str) and (value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)):
        return f"'{value}"
    return value


def _short(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"
