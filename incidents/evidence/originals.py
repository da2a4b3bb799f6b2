"""Keep the recording itself beside a clip that had to be encoded again, because browsers do not play it.

H.265 and Motion JPEG, which cameras send, are such recordings. The file holds the packets as they were
recorded, from the last key frame before the window: what is lost by encoding can be seen in it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from incidents.evidence.clips import EvidenceError
from incidents.evidence.encoding import target
from incidents.evidence.footage import ClipSource, footage_in
from incidents.evidence.remux import packets_between
from vision.frames import SECOND
from vision.sources.frame_clock import ClockState
from vision.sources.timeline import SourceError

LONGEST_LEAD_OF_ORIGINAL = 60 * SECOND
"""How much earlier than the window an original may begin, at a key frame, in microseconds. Beyond that it is
not kept. Project default (docs/defaults.md)."""


@dataclass(frozen=True, slots=True)
class OriginalInfo:
    """What the recording beside an encoded clip is.

    Attributes:
        start_us: stream time of its first picture, microseconds UTC.
        end_us: when its last picture stops being shown.
        frames: number of pictures.
        codec: as FFmpeg names it, such as "hevc" or "mjpeg".
        bytes: length of the file.
        sha256: of the file, 64 hexadecimal digits.
    """

    start_us: int
    end_us: int
    frames: int
    codec: str
    bytes: int
    sha256: str


def cut_original(sources: Sequence[ClipSource], start: int, end: int, out: Path) -> OriginalInfo | None:
    """Write the packets of [start, end] (microseconds UTC) to `out`, an MP4 file, as they were recorded.

    Returns:
        None, and no file, where they are not in one file with regular timestamps and a key frame at most
        `LONGEST_LEAD_OF_ORIGINAL` before, or MP4 does not hold their codec.

    Raises:
        EvidenceError: a source cannot be opened, or the disk refuses the file. Then `out` does not exist.
    """
    try:
        found = footage_in(sources, start, end).sources
        if len(found) != 1 or found[0].clock is not ClockState.REGULAR:
            return None
        [one] = found
        with packets_between(
            one.path, one.start_us, one.fps, start, end, LONGEST_LEAD_OF_ORIGINAL, playable=False
        ) as picked:
            if picked is None:
                return None
            codec = picked.stream.codec_context.name
            with target(out, picked.moments[0]) as container:
                track = container.add_stream_from_template(picked.stream, opaque=True)
                track.time_base = picked.time_base
                for packet in picked.packets:
                    packet.stream = track
                    container.mux(packet)
            data = out.read_bytes()
            return OriginalInfo(
                start_us=picked.moments[0],
                end_us=picked.end_us,
                frames=len(picked.packets),
                codec=codec,
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
            )
    except (av.FFmpegError, OSError, ValueError, SourceError) as error:
        with contextlib.suppress(OSError):
            out.unlink(missing_ok=True)
        if isinstance(error, av.InvalidDataError) or (
            isinstance(error, ValueError) and not isinstance(error, av.FFmpegError | OSError)
        ):
            return None  # MP4 does not hold the codec, or not these packets of it.
        reason = getattr(error, "strerror", None) or error
        raise EvidenceError(f"{out}: the original cannot be written: {reason}") from error
