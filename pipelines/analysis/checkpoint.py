"""Checkpoints: what an interrupted analysis needs to resume. Each stream has one, of its last segment.

A checkpoint holds the state of perception and the position in the source. So resuming takes no longer, and a
checkpoint is no larger, after a month than after a minute. With our tracker it takes 3 kB for each person in
view and for each lost in the last minute, of whom it keeps at most 200; 5 kB while people cross. Measured:
60 kB with 20 people in view for 20 s; 30 kB with 20 people in view for 0.6 s, also after 100,000 tracks in a
simulated month; 0.29 MB with 200 more such people lost.

It is written before its segment is entered in the ledger, and the one before is removed after. So a kill
between the two leaves both, and the ledger says which of them is valid. A checkpoint holds embeddings of
people, which are written nowhere else. It is removed once the footage is analysed to its end.

The file begins with a line: a magic text, the version of the format and the SHA-256 of all that follows. An
npz archive follows, with the state, and in `checkpoint` a text in JSON that says what it is of.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vision.observations.files import write_atomically
from vision.sources.gaps import ResumePoint
from vision.state import State, as_part, part_of, text_array, text_of
from zones.errors import LazarettoError

MAGIC = b"lazaretto-checkpoint"
VERSION = 4
"""Version of the format, and of the meaning of every array in the state. Version 1 held the input of the
tracker since the start of the stream, in one Parquet file for each segment."""


class CheckpointError(LazarettoError):
    """A checkpoint cannot be used."""


@dataclass(frozen=True)
class Checkpoint:
    """What an interrupted analysis needs to resume after a segment.

    Attributes:
        stream: key of the stream.
        seq: number of the segment in the stream, from 0.
        after: the last analysed frame; None = the stream has had none yet.
        state: of `Perception` after that frame.
    """

    stream: str
    seq: int
    after: ResumePoint | None
    state: State


def write(home: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically; those of other segments stay.

    Raises:
        ObservationError: the file cannot be written.
    """
    point = checkpoint.after
    about = {
        "stream": checkpoint.stream,
        "seq": checkpoint.seq,
        "after": None if point is None else [point.index, point.t, point.by_index],
    }
    body = io.BytesIO()
    arrays = {"checkpoint": text_array(json.dumps(about)), **as_part("state", checkpoint.state)}
    np.savez(body, allow_pickle=False, **arrays)
    data = body.getvalue()
    write_atomically(_path(home, checkpoint.stream, checkpoint.seq), _first_line(data) + data)


def read(home: Path, stream: str, seq: int) -> Checkpoint:
    """Read the checkpoint of a segment, exactly as it was written.

    Raises:
        CheckpointError: it is missing, torn, of another version or of another segment.
    """
    path = _path(home, stream, seq)
    try:
        line, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        older = path.with_suffix(".parquet").exists()
        found = "one that an earlier version of this program wrote" if older else "none"
        raise CheckpointError(f"{path}: expected a checkpoint of version {VERSION}, found {found}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the checkpoint: {error.strerror or error}") from error
    if not line.startswith(MAGIC + b" "):
        raise CheckpointError(f"{path}: expected a checkpoint, got another file")
    version = line.split(b" ")[1].decode("ascii", "replace")
    if version != str(VERSION):
        raise CheckpointError(f"{path}: expected a checkpoint of version {VERSION}, got version {version}")
    if line + b"\n" != _first_line(body):
        raise CheckpointError(f"{path}: expected a whole checkpoint, got one that is torn")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            arrays: State = dict(archive)
        about = json.loads(text_of(arrays["checkpoint"]))
        after = None if about["after"] is None else ResumePoint(*about["after"])
        found_of = about["stream"], about["seq"]
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: expected the arrays of a checkpoint, got {error!r}") from error
    if found_of != (stream, seq):
        raise CheckpointError(
            f"{path}: expected the checkpoint of segment {seq} of stream {stream}, got that of segment "
            f"{found_of[1]} of stream {found_of[0]}"
        )
    return Checkpoint(stream, seq, after, part_of(arrays, "state"))


def keep_only(home: Path, stream: str, seq: int) -> None:
    """Remove the other checkpoints of a stream, now that this segment is in the ledger.

    Those that an earlier version wrote are removed too.

    Raises:
        CheckpointError: one cannot be removed.
    """
    kept = _path(home, stream, seq)
    for path in kept.parent.iterdir():
        if path == kept:
            continue
        try:
            path.unlink()
        except OSError as error:
            message = f"{path}: cannot remove the checkpoint: {error.strerror or error}"
            raise CheckpointError(message) from error


def remove(home: Path, stream: str) -> None:
    """Remove the checkpoints of a stream that is analysed to its end; none there is no error."""
    shutil.rmtree(_path(home, stream, 0).parent, ignore_errors=True)


def _first_line(body: bytes) -> bytes:
    return b"%s %d %s\n" % (MAGIC, VERSION, hashlib.sha256(body).hexdigest().encode())


def _path(home: Path, stream: str, seq: int) -> Path:
    return home / "resume" / stream / f"{seq:06d}.checkpoint"
