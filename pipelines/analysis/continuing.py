"""What an analysis continues, from where on, and what differs from the part that was analysed before.

The settings, the weights and their forms decide what is observed: with others, what was analysed stays, and
the rest of the footage becomes a stream of its own. The facility file decides what is judged: all footage of
a stream is judged under the file of the run that reaches its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from incidents.ledger import Ledger, Run, Segment
from pipelines.analysis.segments import FileStream
from vision.frames import SECOND
from vision.networks import ModelBundle
from vision.sources.start_time import show_time
from zones.facility import Facility

_OPTIONS = {
    "fps": "--fps",
    "imgsz": "--imgsz",
    "tracker": "--tracker",
    "gate": "--gate",
    "pixels_per_second": "--pixels-per-second",
    "source_fps": "--source-fps",
}
"""Settings of a run that decide what is observed -> the option that sets them."""


def models_of(bundle: ModelBundle) -> dict[str, dict[str, str]]:
    """The networks of a run, as the ledger records them: purpose -> name, digest and form."""
    return {
        purpose: {"name": w.name, "sha256": w.sha256, "runtime": w.runtime}
        for purpose, w in bundle.weights.items()
    }


def settings_of(bundle: ModelBundle) -> dict[str, object]:
    """The settings of a run that decide what is observed, as the ledger records them."""
    settings = bundle.settings
    return {
        "fps": settings.fps,
        "imgsz": settings.imgsz,
        "tracker": settings.tracker.name,
        "gate": "on" if settings.gate.on else "off",
        "pixels_per_second": settings.gate.pixels_per_second / 1e6,
        "head_imgsz": settings.head_imgsz,
        "face_imgsz": settings.face_imgsz,
        "device": str(bundle.device),
    }


def other_streams(ledger: Ledger, stream: FileStream) -> tuple[str, ...]:
    """Keys of the streams of the same recording that were analysed with other settings or networks."""
    info, camera = stream.source.info, stream.source.camera
    known = ledger.recordings.with_fingerprint(info.fingerprint)
    keys = [item.stream_key for item in known if (item.camera, item.start) == (camera, stream.start)]
    return tuple(key for key in dict.fromkeys(keys) if key != stream.key)


def segments_of(ledger: Ledger, stream: FileStream) -> tuple[Segment, ...]:
    """All segments of a recording, by start, with whatever settings they were analysed."""
    keys = (stream.key, *other_streams(ledger, stream))
    found = [segment for key in keys for segment in ledger.segments.of_stream(key)]
    return tuple(sorted(found, key=lambda segment: (segment.start, segment.end)))


def continuations(
    ledger: Ledger,
    facility: Facility,
    streams: Sequence[FileStream],
    models: Mapping[str, Mapping[str, str]],
    settings: Mapping[str, object],
) -> Iterator[str]:
    """A sentence for each camera of which an analysis continues an unfinished one.

    Args:
        ledger: of the home.
        facility: that judges the footage now.
        streams: of the run, those of one camera by start.
        models: the networks of the run (`models_of`).
        settings: its settings (`settings_of`).
    """
    said = set()
    for stream in streams:
        camera = stream.source.camera
        last = _last_unfinished(ledger, stream)
        if camera not in said and last is not None and not ledger.segments.is_complete(stream.key):
            sentence = _sentence(ledger, facility, stream, last, models, settings)
            if sentence is not None:
                said.add(camera)
                yield sentence


def _last_unfinished(ledger: Ledger, stream: FileStream) -> Segment | None:
    """The last segment of a recording whose analysis did not end; None where there is none."""
    keys = (stream.key, *other_streams(ledger, stream))
    found = [ledger.segments.last_of_stream(key) for key in keys if not ledger.segments.is_complete(key)]
    return max((item for item in found if item is not None), key=lambda item: item.end, default=None)


def _sentence(
    ledger: Ledger,
    facility: Facility,
    stream: FileStream,
    last: Segment,
    models: Mapping[str, Mapping[str, str]],
    settings: Mapping[str, object],
) -> str | None:
    run = ledger.runs.get(last.run_id)
    path = stream.source.info.path
    parts = [f"camera {last.camera}: continues at {show_time(last.end, facility.tz)} of {path}"]
    if stream.duration and last.end > stream.start + stream.duration - SECOND:
        if last.stream_key != stream.key:
            return None  # Nothing is left to analyse with these settings, which is refused with a reason.
        parts = [
            f"camera {last.camera}: {path} was analysed to its end before, its incidents are recorded now"
        ]
    if last.stream_key != stream.key:
        differ = _differences(run, models, {**settings, "source_fps": stream.source.fps})
        parts.append(
            f"what was analysed until then had {', '.join(differ) or 'other settings'}: it stays as it is, "
            "and people in view at that moment count as new"
        )
    if run.facility_version != facility.version:
        parts.append(
            f"the analysis began under facility version {run.facility_version[:12]}, and all of its footage "
            f"is judged under {facility.version[:12]}"
        )
    return "; ".join(parts)


def _differences(
    run: Run, models: Mapping[str, Mapping[str, str]], settings: Mapping[str, object]
) -> Iterator[str]:
    """What differs from an earlier run, as options: "--imgsz 416, not 480".

    What an earlier version of the program did not record is left out.
    """
    for name, option in _OPTIONS.items():
        if name in run.settings and run.settings[name] != settings[name]:
            yield f"{option} {_shown(run.settings[name])} (now {_shown(settings[name])})"
    forms: dict[tuple[str, str], list[str]] = {}
    for purpose in dict.fromkeys((*models, *run.models)):
        old, new = run.models.get(purpose), models.get(purpose)
        if old is None or new is None or old["sha256"] != new["sha256"]:
            yield f"--{purpose} {_weights(old)} (now {_weights(new)})"
        elif "runtime" in old and old["runtime"] != new["runtime"]:
            forms.setdefault((old["runtime"], new["runtime"]), []).append(purpose)
    for (before, now), purposes in forms.items():
        yield f"--runtime {before} of {', '.join(purposes)} (now {now})"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def _weights(model: Mapping[str, str] | None) -> str:
    return "none" if model is None else f"{model['name']} {model['sha256'][:12]}"
