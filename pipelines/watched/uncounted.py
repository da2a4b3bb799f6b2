"""What a count of incidents leaves out of a camera's footage, in sentences that stand beside the count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from incidents.ledger import Ledger, Run, Segment, UnreadReason
from incidents.local_time import local_iso
from incidents.watched.summary import duration_text, percent_text
from pipelines.locks import Holder, holders
from vision.frames import SECOND

MAX_NAMED = 3
"""Files that a sentence names, of however many there are. Project default (docs/defaults.md)."""
ANALYSING = ("analysis", "watch")
"""Tasks of `pipelines.locks.Use` that record the incidents of what they analyse."""

_REASONS = {
    UnreadReason.UNREADABLE: "could not be read",
    UnreadReason.PARTLY: "could not be read to the end",
    UnreadReason.NO_TIME: "could not be placed in time",
}


def uncounted(
    ledger: Ledger, camera: str, window: tuple[int, int], *, replayed: bool = False
) -> tuple[str, ...]:
    """Sentences about footage of a camera that a count of its incidents leaves out.

    Such are footage that was analysed without its incidents being recorded, because the analysis did not end
    or is at work, and recordings that no run could read.

    Args:
        ledger: of a home.
        camera: id of the camera.
        window: [start, end), microseconds UTC.
        replayed: the count is that of a replay, which evaluates all footage that was analysed.

    Raises:
        LazarettoError: the ledger or the locks cannot be read.
    """
    segments = ledger.segments.not_evaluated(camera, *window)
    first = [_not_evaluated(ledger, camera, segments, replayed)] if segments else []
    return (*first, *_not_read(ledger, camera, window))


def _not_evaluated(ledger: Ledger, camera: str, segments: Sequence[Segment], replayed: bool) -> str:
    start, end = min(item.start for item in segments), max(item.end for item in segments)
    runs = [ledger.runs.get(name) for name in dict.fromkeys(item.run_id for item in segments)]
    timezone = ledger.facilities.timezone(runs[0].facility)
    begun = local_iso(min(run.started for run in runs), timezone)[:19].replace("T", " ")
    length = duration_text(sum(item.end - item.start for item in segments) / SECOND)
    times = " to ".join(local_iso(t, timezone)[:19].replace("T", " ") for t in (start, end))
    files = _named([Path(item.source) for item in segments])
    footage = f"{length} of footage{_share_of_given(camera, segments, runs)} from {times} ({files})"
    missing = "not in the ledger yet" if replayed else "not evaluated yet"
    holder = _at_work(ledger, camera, start, end)
    if holder is not None:
        return (
            f"{camera}: is being analysed by process {holder.pid} ({holder.command}): the incidents of "
            f"{footage} are {missing}."
        )
    return (
        f"{camera}: an analysis that began at {begun} did not end: the incidents of {footage} are {missing}; "
        "the same command continues it."
    )


def _share_of_given(camera: str, segments: Sequence[Segment], runs: Sequence[Run]) -> str:
    """How much of what the last run was given that is; empty where it does not say, or had other footage."""
    settings = max(runs, key=lambda run: run.started).settings
    by_camera, sources = settings.get("given_us"), settings.get("sources")
    if not isinstance(by_camera, dict) or not isinstance(sources, list):
        return ""
    given, known = by_camera.get(camera), sum(item.end - item.start for item in segments)
    if not isinstance(given, int) or known > given or any(item.source not in sources for item in segments):
        return ""
    return f", of {duration_text(given / SECOND)} that it was given{percent_text(known, given)},"


def _at_work(ledger: Ledger, camera: str, start: int, end: int) -> Holder | None:
    """The process that is analysing the camera's hours right now; None if there is none."""
    for holder in holders(ledger.path.parent / "locks"):
        use = holder.use
        if use.camera == camera and use.task in ANALYSING and use.start < end and use.end > start:
            return holder
    return None


def _not_read(ledger: Ledger, camera: str, window: tuple[int, int]) -> list[str]:
    unread = ledger.unread.find(camera, *window)
    sentences = []
    for reason, what in _REASONS.items():
        paths = [item.path for item in unread if item.reason is reason]
        if paths:
            noun = "1 recording" if len(paths) == 1 else f"{len(paths)} recordings"
            sentences.append(
                f"{camera}: {noun} {what}: {_named(paths)}; that footage counts as not watched until a run "
                "reads it."
            )
    return sentences


def _named(paths: Sequence[Path]) -> str:
    """The names of the first few files, and how many there are beside: "a.mp4, b.mp4, c.mp4 and 4 more"."""
    names = [path.name for path in dict.fromkeys(paths)]
    rest = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")
