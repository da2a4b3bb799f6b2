"""Opening of all footage before any of it is analysed: what it is, and from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from incidents.ledger import Unread, UnreadReason
from pipelines.analysis.scenes import OpenedSource, different_words, several_scenes, without_copies
from pipelines.analysis.unread import unread_of
from pipelines.assignment import Footage
from vision.sources import fingerprint
from vision.sources.files import open_source
from vision.sources.hardware import CPU
from vision.sources.start_time import StartOrigin, show_time
from vision.sources.timeline import SourceError
from zones.errors import LazarettoError
from zones.facility import Facility


class SeveralScenesError(LazarettoError):
    """What was given as one camera seems to show several scenes; nothing was analysed."""


@dataclass
class OpenedFootage:
    """The footage of a run.

    Attributes:
        sources: what can be analysed.
        faults: one error for each source that cannot.
        warnings: sentences about sources of time that disagree, and about copies that are left out.
        unread: the sources that cannot be analysed, for the ledger.
    """

    sources: list[OpenedSource] = field(default_factory=list)
    faults: list[LazarettoError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def open_footage(
    footage: Sequence[Footage],
    facility: Facility,
    source_fps: float | None = None,
    *,
    accept_file_dates: bool = False,
    decoder: str = CPU,
) -> OpenedFootage:
    """Open each source and find its start; `decoder` will decode it, see `vision.sources.hardware`.

    A source whose start is only a guess from the file's date is a fault, unless `accept_file_dates`.
    """
    opened = OpenedFootage()
    found: list[OpenedSource] = []
    for item in footage:
        try:
            size_and_date = fingerprint.size_and_date(item.path)
            source = open_source(
                item.path,
                item.camera.id,
                item.start,
                source_fps,
                facility.timezone,
                item.camera.picture_aspect,
                decoder,
            )
        except SourceError as error:
            opened.faults.append(error)
            opened.unread.append(unread_of(item, facility.tz))
            continue
        opened.warnings += [f"{item.path}: {note}" for note in (*source.info.start_notes, *source.info.notes)]
        if source.info.start_origin is StartOrigin.MTIME:
            guess = show_time(source.info.start_us, facility.tz)
            if not accept_file_dates:
                opened.unread.append(unread_of(item, facility.tz, UnreadReason.NO_TIME))
                opened.faults.append(
                    SourceError(
                        f"{item.path}: expected a time of recording, got none but the file's date ({guess}), "
                        "which copying changes: give --start, name the file by its time "
                        "(20261124_080000), or take that date with --accept-file-dates"
                    )
                )
                continue
            opened.warnings.append(
                f"{item.path}: the time of recording is a guess from the file's date ({guess})"
            )
        found.append(OpenedSource(item, source, size_and_date))
    kept, copies = without_copies(found)
    # The cameras in the order in which they were given, the footage of each in order of time.
    cameras = list(dict.fromkeys(item.source.camera for item in kept))
    opened.sources = sorted(kept, key=lambda item: (cameras.index(item.source.camera), item.source.start_us))
    opened.warnings += copies
    _warn_of_different_words(opened)
    _warn_of_one_recording_of_two_cameras(opened)
    return opened


def refuse_several_scenes(opened: OpenedFootage, facility: Facility) -> None:
    """Make sure that what was given as one camera seems to be one.

    Raises:
        SeveralScenesError: it does not; the message names the groups.
    """
    ids = [camera.id for camera in facility.cameras]
    for camera in dict.fromkeys(item.source.camera for item in opened.sources):
        sentence = several_scenes([item for item in opened.sources if item.source.camera == camera], ids)
        if sentence is not None:
            raise SeveralScenesError(sentence)


def _warn_of_different_words(opened: OpenedFootage) -> None:
    for camera in dict.fromkeys(item.source.camera for item in opened.sources):
        sentence = different_words([item for item in opened.sources if item.source.camera == camera])
        if sentence is not None:
            opened.warnings.append(sentence)


def _warn_of_one_recording_of_two_cameras(opened: OpenedFootage) -> None:
    """Everything in it would be counted twice, though no source of either camera is wrong by itself."""
    first: dict[str, OpenedSource] = {}
    for item in opened.sources:
        info, camera = item.source.info, item.source.camera
        other = first.setdefault(info.fingerprint, item)
        if other.source.camera != camera:
            opened.warnings.append(
                f"{info.path}: the same recording is given for camera {other.source.camera}, too: what it "
                "shows counts for both"
            )


def describe_time(item: OpenedSource, facility: Facility) -> str:
    """One line that says from when to when a source is taken, and why."""
    info = item.source.info
    start = show_time(info.start_us, facility.tz)
    end = "an end that it does not state"
    if info.duration_us is not None:
        end = show_time(info.start_us + info.duration_us, facility.tz)
    return f"camera {item.source.camera}: {start} to {end}, by {info.start_origin.text}: {info.path}"
