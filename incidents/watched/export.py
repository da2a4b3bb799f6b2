"""What was watched, as a file beside an export of incidents."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from incidents.files import ExportError, write_atomic
from incidents.local_time import local_iso
from incidents.watched.hour import Ability
from incidents.watched.summary import CameraWatch

COLUMNS = (
    *("camera", "hour_utc", "hour_local", "facility_version", "analysed_s", "idle_s", "recorded_s"),
    *("could_raise", "could_not", "person_s", "feet_s", "metres_s", "role_s", "small_s", "small_px"),
    *("crowded_s", "tracks", "tracks_assessed", "uncounted", "ignored_s", "static_s", "reflection_s"),
)
"""Columns of the CSV: one row for each camera and clock hour; a camera without counted hours has one too.

What a count leaves out stands in each row of its camera.
"""


def export_watches(watches: Sequence[CameraWatch], export: Path, timezone: str) -> Path:
    """Write what was watched beside an export of incidents: `x.csv` gets `x.coverage.csv`.

    Args:
        watches: what was watched.
        export: the file of the incidents.
        timezone: IANA name of that of the facility, in which a CSV says the hours too, as it says incidents.

    Returns:
        The path of the file.

    Raises:
        ExportError: the file cannot be written.
    """
    path = export.with_suffix(f".coverage{export.suffix}")
    if export.suffix == ".csv":
        text = "\ufeff" + _csv(watches, timezone)
    else:
        payload = [watch.to_payload().to_dict() for watch in watches]
        text = json.dumps(payload, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise ExportError(f"the export {path} cannot be written: {error.strerror or error}") from error
    return path


def _csv(watches: Sequence[CameraWatch], timezone: str) -> str:
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for watch in watches:
        left_out = "; ".join(watch.uncounted)
        if not watch.hours:
            known = {"camera": watch.camera, "recorded_s": watch.recorded_s, "uncounted": left_out}
            writer.writerow([known.get(column, "") for column in COLUMNS])
        for hour in watch.hours:
            writer.writerow(
                [
                    *(hour.camera, *(local_iso(hour.hour, zone) for zone in ("UTC", timezone))),
                    hour.facility_version,
                    *(hour.analysed_s, hour.idle_s, hour.recorded_s),
                    "; ".join(_text(item) for item in hour.abilities if item.able),
                    "; ".join(f"{_text(item)}: {item.reason}" for item in hour.abilities if not item.able),
                    *(hour.person_s, hour.feet_s, hour.metres_s, hour.role_s, hour.small_s, hour.small_px),
                    *(hour.crowded_s, hour.tracks, hour.tracks_assessed, left_out),
                    *(hour.ignored_s, hour.static_s, hour.reflection_s),
                ]
            )
    return table.getvalue()


def _text(item: Ability) -> str:
    return item.rule if item.place is None else f"{item.rule} {item.place}"
