"""What is said of footage that the ledger knows already, or that is not as long as it states."""

from __future__ import annotations

from collections.abc import Iterable

from incidents.ledger import Ledger
from incidents.watched.summary import duration_text
from pipelines.analysis.continuing import segments_of
from pipelines.analysis.segments import FileStream
from vision.frames import SECOND, to_iso
from vision.sources.start_time import MAX_DISAGREEMENT_US


def same_recording(ledger: Ledger, stream: FileStream) -> str | None:
    """Say that a recording was analysed before as another camera, or as of another time; else None."""
    info, camera = stream.source.info, stream.source.camera
    known = ledger.recordings.with_fingerprint(info.fingerprint)
    for item in sorted(known, key=lambda item: item.camera != camera):
        if item.camera == camera and abs(item.start - stream.start) > MAX_DISAGREEMENT_US:
            return f"{info.path}: the same recording was analysed before as of {to_iso(item.start)}"
        if item.camera != camera:
            return f"{info.path}: the same recording was analysed before as camera {item.camera}"
    return None


def shorter_than_stated(stream: FileStream, end: int) -> str | None:
    """Say that a file states more footage than was found in it; else None.

    Args:
        stream: the file.
        end: end of what was read from it, microseconds UTC.
    """
    held = end - stream.start
    if not stream.duration or stream.duration - held <= MAX_DISAGREEMENT_US:
        return None
    stated, found = (duration_text(length / SECOND) for length in (stream.duration, max(0, held)))
    return f"{stream.source.info.path}: the file states {stated} of footage and holds {found}"


def overlap_sentence(camera: str, seconds: float, files: int) -> str:
    """Say how much footage of a camera was left out because its time was analysed before."""
    return (
        f"camera {camera}: {duration_text(seconds)} of {files} {'file' if files == 1 else 'files'} were left "
        "out: that time of the camera was analysed before, from other files"
    )


def watched_live(ledger: Ledger, camera: str, start: int, end: int) -> bool:
    """Whether a camera was watched live in some of [start, end), microseconds UTC."""
    runs = {segment.run_id for segment in ledger.segments.within(camera, start, end)}
    return any(ledger.runs.get(run).settings.get("live") is True for run in runs)


def live_sentence(camera: str, files: int) -> str:
    """Say that files hold what was watched live."""
    what = "1 file holds" if files == 1 else f"{files} files hold"
    return f"camera {camera}: {what} time that was watched live; nothing of that was analysed again"


def watched_on(ledger: Ledger, camera: str, t: int, most: int) -> int:
    """Up to when a camera was watched live without a break after `t`, at most `most` microseconds later.

    What goes on then must not be taken to end, or to be open, at `t`.
    """
    end = t
    for item in ledger.coverage.recorded(camera, t, t + most):
        if item.start > end or not watched_live(ledger, camera, item.start, item.end):
            break
        end = item.end
    return end


def judged_versions(ledger: Ledger, streams: Iterable[FileStream]) -> set[str]:
    """The versions of the facility file under which footage was judged that was analysed before."""
    found = set()
    for stream in streams:
        segments = segments_of(ledger, stream)
        if segments:
            found.add(ledger.runs.get(segments[-1].run_id).facility_version)
    return found


def judged_otherwise(camera: str, version: str, versions: Iterable[str]) -> str | None:
    """Say that footage was judged under other versions of the facility file than the one given; else None."""
    others = sorted(item[:12] for item in versions if item != version)
    if not others:
        return None
    return (
        f"camera {camera}: footage that was analysed before was judged under facility version "
        f"{', '.join(others)}, not under {version[:12]}: its incidents stay as they are; lazaretto replay "
        "shows what the new version raises"
    )
