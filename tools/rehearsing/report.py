"""The report of a rehearsal, Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rehearsing.faults import Fault
from rehearsing.findings import CameraTime, Comparison
from rehearsing.measuring import Sample, slopes
from vision.frames import SECOND

VALUES = {
    "rss_mb": ("memory of the analysis", "MB"),
    "readers_mb": ("memory of all readers", "MB"),
    "handles": ("open handles of the analysis", ""),
    "reader_handles": ("open handles of all readers", ""),
    "threads": ("threads of the analysis", ""),
    "processes": ("processes", ""),
    "ledger_mb": ("ledger", "MB"),
}


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal found.

    Attributes:
        command, machine: how and where it ran.
        minutes: how long.
        undisturbed, flapping: ids of the cameras.
        faults: what was wrong.
        times: of each camera.
        samples: of the watch.
        dropped: share of frames dropped because the device was busy, by camera.
        latency: what /status said of the last hour, at the end.
        comparison: live beside batch; None = not compared.
        told: counts of incidents that were opened, and of those that each target was told of.
        notices: how often each notice came.
        unexpected: what should not have happened, in sentences.
    """

    command: str
    machine: str
    minutes: float
    undisturbed: Sequence[str]
    flapping: Sequence[str]
    faults: Sequence[Fault]
    times: Sequence[CameraTime]
    samples: Sequence[Sample]
    dropped: Mapping[str, float]
    latency: Mapping[str, object]
    comparison: Comparison | None
    told: Mapping[str, int]
    notices: Counter[str]
    unexpected: Sequence[str]


def markdown(found: Rehearsal) -> str:
    """The report."""
    parts = [
        "# Rehearsal of a watch\n",
        f"`{found.command}`: {found.minutes:.0f} minutes, {len(found.times)} cameras of a server on the same "
        f"machine ({found.machine}). Undisturbed: {', '.join(found.undisturbed)}. With faults, again and "
        f"again: {', '.join(found.flapping) or 'none'}.\n",
        "## What should not have happened\n",
        "\n".join(f"- {text}" for text in found.unexpected) or "Nothing of it.",
        "\n## Time\n",
        _times(found.times),
        "\n*Within*: missed while a fault lasted. *Soon after*: within 70 s after one. *Falsely watched*: "
        "counted as watched 4 s and more after a camera stopped giving anything. *No record*: not accounted "
        "for.\n",
        "Causes of missed time, seconds:\n",
        _causes(found.times),
        "\n## Faults, and when the ledger said so while they lasted\n",
        _faults(found.faults),
        "\n## Memory, handles, processes\n",
        _slopes(found.samples),
        "\n## Latency and dropped frames\n",
        f"Of the last hour at most, seconds: {found.latency}. Dropped: "
        + ", ".join(f"{name} {share:.2%}" for name, share in found.dropped.items())
        + ".",
        "\n## Incidents: live beside an analysis of the recorded footage\n",
        _comparison(found.comparison),
        "\n## Notifications\n",
        ", ".join(f"{name}: {count}" for name, count in found.told.items()) + ".",
        "\n## What the watch said\n",
        _table(["times", "notice"], [[str(n), text] for text, n in found.notices.most_common(40)]),
    ]
    return "\n".join(parts) + "\n"


def _times(times: Sequence[CameraTime]) -> str:
    head = ["camera", "s", "watched", "missed", "within", "soon after", "unexplained", "falsely watched"]
    rows = [
        [
            one.camera,
            *(
                f"{value:.1f}"
                for value in (
                    one.total,
                    one.watched,
                    one.total - one.watched,
                    one.within,
                    one.recovering,
                    one.unexplained,
                    one.false,
                    one.unaccounted,
                )
            ),
        ]
        for one in times
    ]
    return _table([*head, "no record"], rows)


def _causes(times: Sequence[CameraTime]) -> str:
    rows = [
        [one.camera, cause, f"{seconds:.0f}"] for one in times for cause, seconds in one.missed.most_common()
    ]
    return _table(["camera", "state and cause", "s"], rows)


def _faults(faults: Sequence[Fault]) -> str:
    rows = []
    for camera, kind in sorted({(one.camera, one.kind) for one in faults}):
        own = [one for one in faults if (one.camera, one.kind) == (camera, kind)]
        lasted = sum((one.end or one.start) - one.start for one in own) / SECOND
        seen = [one.seen_s for one in own if one.seen_s is not None]
        count = str(len(seen)) if camera else "-"
        when = f"{min(seen):.0f} to {max(seen):.0f} s" if seen else ""
        rows.append([camera or "all", kind, str(len(own)), f"{lasted:.0f}", count, when])
    return _table(["camera", "fault", "times", "s in all", "seen", "after"], rows)


def _slopes(samples: Sequence[Sample]) -> str:
    rows = []
    for start, hours, rates in slopes(samples, tuple(VALUES)):
        own = [one for one in samples if one.start == start]
        for name, (title, unit) in VALUES.items():
            values = [getattr(one, name) for one in own]
            figures = f"{values[0]:.0f}", f"{values[-1]:.0f}", f"{max(values):.0f}"
            rows.append([str(start + 1), f"{hours * 60:.0f}", title, *figures, f"{rates[name]:+.1f} {unit}"])
    if not rows:
        return "No start of the watch lasted long enough for a slope."
    return _table(["start", "minutes", "what", "first", "last", "most", "by the hour"], rows)


def _comparison(found: Comparison | None) -> str:
    if found is None:
        return "Not compared."
    kinds = ", ".join(f"{kind} {n}" for kind, n in found.kinds.most_common()) or "none"
    lines = [
        f"Found by both, same kind and zone, start within 1 s: {found.both} ({kinds}). Live alone: "
        f"{len(found.live_only)}. In the recording alone: {len(found.batch_only)}. By one alone within 30 s "
        f"of a kill or the full disk: {len(found.apart)}. Found live where no footage is kept (the full disk "
        f"had the oldest deleted): {found.without_footage}.",
        *(f"- {text}" for text in (*found.live_only, *found.batch_only, *found.apart)),
    ]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(
        [*lines, *("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows)]
    )
