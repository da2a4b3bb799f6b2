"""The evidence of an incident: clip, key frame and boxes, written together or not at all.

    <folder>/clip.mp4  keyframe.jpg  boxes.json      and, where a longer clip was cut later, <folder>/2/...
             original.mp4, where the recording does not play in browsers, so that the clip was encoded

The files are made in a temporary folder, flushed to the disk, and the folder is renamed in one step. They
are never overwritten, since the ledger may hold their digests already.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from incidents.evidence.boxes import BoxesFile, KeyFrame, boxes_of
from incidents.evidence.clips import ClipInfo, EvidenceError, cut_clip
from incidents.evidence.encoding import Picture
from incidents.evidence.footage import ClipSource
from incidents.evidence.keyframe import Outline, Person, draw, to_jpeg
from incidents.evidence.originals import cut_original
from incidents.files import sync_folder
from incidents.local_time import local_iso
from incidents.record import Incident
from incidents.rule_record import EvidenceKind
from incidents.seals import TEMPORARY
from vision.frames import SECOND
from zones.facility import Camera

__all__ = [
    "ClipInfo",
    "ClipSource",
    "Evidence",
    "EvidenceError",
    "EvidenceFile",
    "clean_leftovers",
    "cut_clip",
    "key_frame",
    "key_moment",
    "read_evidence",
    "write_evidence",
]

NAMES: dict[EvidenceKind, str] = {
    "clip": "clip.mp4",
    "keyframe": "keyframe.jpg",
    "boxes": "boxes.json",
    "original": "original.mp4",
}
"""Kind of evidence -> file name."""
SHORT_BY = SECOND
"""A clip that ends this much before it should is cut again, in case there is more footage now."""
_REVISION = re.compile(r"[2-9]|[1-9]\d+")


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file of evidence.

    Attributes:
        kind: clip, keyframe, boxes or original.
        name: relative to the folder of the evidence, with forward slashes.
        sha256: of the file, 64 hexadecimal digits.
        bytes: length of the file.
        created: when it was written, microseconds UTC.
    """

    kind: EvidenceKind
    name: str
    sha256: str
    bytes: int
    created: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of one incident.

    Attributes:
        folder: where it is.
        window: the time that was asked for, microseconds UTC.
        clip: what the clip is.
        keyframe_t: stream time of the key frame, microseconds UTC.
        files: clip, key frame and boxes, and the original where there is one.
        missing: of evidence just written, a sentence for each recording of that time that is gone or was
            replaced; the clip was cut from the others.
        new: whether it was written just now.
    """

    folder: Path
    window: tuple[int, int]
    clip: ClipInfo
    keyframe_t: int
    files: tuple[EvidenceFile, ...]
    missing: tuple[str, ...] = ()
    new: bool = field(default=False, compare=False)


def write_evidence(
    folder: Path,
    *,
    sources: Sequence[ClipSource],
    window: tuple[int, int],
    observations: pl.DataFrame,
    camera: Camera,
    incident: Incident,
    quick: bool = False,
) -> Evidence:
    """Cut, draw and write the evidence of an incident, or return what is there already.

    Safe to repeat. Where evidence of the same window is there and sound, it is returned as it is. Where
    the window has changed or more footage has come, new evidence is written beside the old.

    Args:
        folder: of this incident alone; missing parents are created.
        sources: the camera's footage around the window.
        window: start and end, microseconds UTC.
        observations: rows of the log in the window, with a `role` column if roles are known.
        camera: whose zones and lines are drawn, and whose setting of the picture's shape counts.
        incident: what is suspected, and of whom.
        quick: see `cut_clip`.

    Raises:
        EvidenceError: there is no footage in the window, or the disk refuses the files. Then nothing is
            left behind, and what was there before is untouched.
    """
    old = read_evidence(folder)
    if old is not None and old.window == window and old.clip.end_us >= window[1] - SHORT_BY:
        return old
    try:
        final = folder if not folder.exists() else folder / str(_newest(folder) + 1)
        with _temporary(final) as temporary:
            wanted = key_moment(observations, incident)
            clip_path = temporary / NAMES["clip"]
            cut = cut_clip(sources, *window, clip_path, wanted, camera.picture_aspect, quick)
            clip = cut.info
            if old is not None and old.window == window and old.clip.sha256 == clip.sha256:
                return old
            picture = key_frame(cut.picture, observations, camera, incident)
            original = None
            if clip.mode == "encoded":
                original = cut_original(sources, *window, temporary / NAMES["original"])
            shown = KeyFrame(t=cut.picture.t, sha256=_digest(picture))
            boxes = boxes_of(observations, clip, window, shown, original)
            (temporary / NAMES["keyframe"]).write_bytes(picture)
            (temporary / NAMES["boxes"]).write_bytes(boxes.to_json())
            for path in temporary.iterdir():
                _flush(path)
            sync_folder(temporary)
            temporary.rename(final)
            sync_folder(final.parent)
    except OSError as error:
        raise EvidenceError(f"{folder}: the evidence cannot be written: {error.strerror}") from error
    written = read_evidence(folder)
    if written is None:
        raise EvidenceError(f"{folder}: expected the evidence just written, got files that differ from it")
    return replace(written, missing=cut.missing, new=True)


def read_evidence(folder: Path) -> Evidence | None:
    """The newest evidence in an incident's folder whose files are as they were written; None if none is."""
    if not folder.is_dir():
        return None
    for number in range(_newest(folder), 0, -1):
        place = folder if number == 1 else folder / str(number)
        try:
            about = BoxesFile.model_validate_json((place / NAMES["boxes"]).read_bytes())
            clip = about.clip
            files = tuple(
                _file(kind, place / name, "" if number == 1 else f"{number}/")
                for kind, name in NAMES.items()
                if kind != "original" or about.original is not None
            )
            found = Evidence(folder, about.window, clip, about.keyframe.t, files)
            sealed = {"clip": clip.sha256, "keyframe": about.keyframe.sha256}
            if about.original is not None:
                sealed["original"] = about.original.sha256
        except (OSError, ValueError):
            # Not there, or not what was written: an older revision, or new evidence, takes its place.
            continue
        if all(file.sha256 == sealed.get(file.kind, file.sha256) for file in files):
            return found
    return None


def clean_leftovers(root: Path) -> int:
    """Remove the temporary folders below `root` that a killed writer left; returns how many.

    Those of a writer that is still at work, in any process, stay.

    Raises:
        EvidenceError: one cannot be removed.
    """
    removed = 0
    for parent, folders, _ in os.walk(root):
        for name in [folder for folder in folders if TEMPORARY.fullmatch(folder)]:
            folders.remove(name)
            path = Path(parent, name)
            try:
                with _lock(path):
                    shutil.rmtree(path)
                    removed += 1
            except BlockingIOError:
                continue
            except OSError as error:
                raise EvidenceError(f"{path}: the leftover cannot be removed: {error.strerror}") from error
    return removed


def key_moment(observations: pl.DataFrame, incident: Incident) -> int:
    """When an incident shows best: the first analysed moment in it with the most of its people in view.

    Its start where none of them is in the log.
    """
    moment = pl.col("t").dt.timestamp("us")
    tracks = [int(track.id, 16) for track in incident.tracks]
    seen = (
        observations.filter(
            (moment >= incident.start) & (moment <= incident.end) & pl.col("track").is_in(tracks)
        )
        .group_by(moment.alias("moment"))
        .len("people")
        .sort(["people", "moment"], descending=[True, False])
    )
    return int(seen["moment"][0]) if len(seen) else incident.start


def key_frame(picture: Picture, observations: pl.DataFrame, camera: Camera, incident: Incident) -> bytes:
    """A picture as JPEG with what is suspected drawn over it.

    Drawn are the people seen nearest to that picture, those of the incident in another colour, and the
    zone or line of the incident, or all of them where it has none.
    """
    shown, image = picture.t, picture.image
    height, width = image.shape[:2]
    involved = {track.id for track in incident.tracks}
    people = []

    def ours(outline: str) -> bool:
        return incident.zone is None or incident.zone == outline

    away = (pl.col("t").dt.timestamp("us") - shown).abs()
    near = observations.filter(away <= SECOND).filter(away == away.min())
    for row in near.iter_rows(named=True):
        track = f"{row['track']:016x}"
        across, down = width / row["width"], height / row["height"]
        box = (row["x1"] * across, row["y1"] * down, row["x2"] * across, row["y2"] * down)
        role = (row.get("role") or "unknown").replace("_", " ")
        people.append(Person(box, f"{track[-4:]} {role}", track in involved))
    outlines = [Outline(zone.polygon, True, zone.name or zone.id) for zone in camera.zones if ours(zone.id)]
    outlines += [Outline(line.points, False, line.name or line.id) for line in camera.lines if ours(line.id)]
    kind = f"{incident.kind} ({incident.subkind})" if incident.subkind else incident.kind
    time = local_iso(shown, incident.timezone)
    title = (
        f"Suspected violation: {kind.replace('_', ' ')}, {incident.severity} - {camera.name or camera.id} - "
        f"{time[:10]} {time[11:19]} {time[26:]}"
    )
    return to_jpeg(draw(image, people, outlines, title))


@contextlib.contextmanager
def _temporary(final: Path) -> Iterator[Path]:
    """A folder beside `final`, locked while in use; gone afterwards unless it was renamed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        temporary = _made_and_locked(final, stack)
        try:
            yield temporary
        finally:
            if temporary.exists():
                with contextlib.suppress(OSError):
                    shutil.rmtree(temporary)


def _made_and_locked(final: Path, stack: contextlib.ExitStack) -> Path:
    while True:
        temporary = final.with_name(f".{final.name}.{secrets.token_hex(4)}.partial")
        temporary.mkdir()
        # Before it is locked, another process may take it for a leftover and remove it.
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            stack.enter_context(_lock(temporary))
            if temporary.exists():
                return temporary


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold a folder; the system lets go of it when the process ends, however it ends.

    Raises:
        BlockingIOError: another holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _newest(folder: Path) -> int:
    return max([1, *(int(entry.name) for entry in folder.iterdir() if _REVISION.fullmatch(entry.name))])


def _file(kind: EvidenceKind, path: Path, prefix: str) -> EvidenceFile:
    data = path.read_bytes()
    return EvidenceFile(kind, prefix + path.name, _digest(data), len(data), path.stat().st_mtime_ns // 1000)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
