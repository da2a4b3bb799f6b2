"""Built footage shows the recorded moments that its truth says, and the times of frames are those decoded."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.bench.footage.build import BuildRequest, build
from evaluation.bench.footage.encoding import SUBSTREAM, SensorNoise
from evaluation.bench.footage.scenes import Scene, scenes_of, timeline
from evaluation.bench.footage.truth import moved_tracks
from evaluation.bench.video_files import cut, frame_times
from evaluation.truth import read_events
from tests.footage import number_of, write_video
from vision.sources.timeline import SourceError

STAYS = [[20, 60], [110, 150], [170, 210]]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    (folder / "videos").mkdir()
    write_video(folder / "videos" / "room_one_by_one.mp4", 220, fps=10, size=(320, 180))
    facts = {"fps": 10, "presence_intervals_frames": STAYS}
    (folder / "videos" / "facts.json").write_text(json.dumps({"room_one_by_one.mp4": facts}))
    return folder


def test_people_are_in_view_when_the_truth_says_so_and_never_else(media: Path, tmp_path: Path) -> None:
    [made] = build(BuildRequest(tmp_path, media, seconds=10.0, cameras=3))
    assert made.events is not None
    noted = {item.camera: item.events for item in read_events(made.events).cameras}
    first = []
    for camera in made.cameras:
        assert camera.occupied == pytest.approx(0.3, abs=0.02)
        with av.open(str(camera.video)) as container:
            shown = [number_of(frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]
        stay = [next((n for n, (a, b) in enumerate(STAYS) if a <= s <= b), None) for s in shown]
        begins = [i for i in range(1, len(stay)) if stay[i] is not None and stay[i - 1] is None]
        assert [round(event.start.us * 15 / 1e6) for event in noted[camera.id]] == begins
        assert sum(item is not None for item in stay) == pytest.approx(0.3 * len(shown), abs=3)
        first.append(stay[begins[0]])
    assert len(set(first)) == 3, "each camera begins with another person"


@given(
    seconds=st.floats(5, 300),
    share=st.floats(0.05, 0.8),
    number=st.integers(0, 40),
    rate=st.sampled_from([5, 15, 30]),
)
def test_occupied_moments_take_their_share_and_do_not_overlap(
    seconds: float, share: float, number: int, rate: int
) -> None:
    scene = Scene("room", Path("none"), 10, [(20, 60), (110, 300)], (70, 100), trap=(400, 430))
    pieces = timeline(scene, seconds, share, number, rate)
    assert all(a.at + a.frames <= b.at + 1 for a, b in pairwise(pieces))
    assert pieces[0].at >= 0 and pieces[-1].at + pieces[-1].frames <= seconds * rate + 1
    occupied = sum(piece.frames for piece in pieces if piece.occupied) / rate
    assert seconds * share - 1.0 - len(pieces) / rate <= occupied <= seconds * share + len(pieces) / rate


def test_true_tracks_move_with_the_moments_and_the_cut_of_the_picture(tmp_path: Path) -> None:
    tracks = tmp_path / "truth.txt"
    # Frames 1 to 60: one person whose feet are in the rows used, one whose feet are below them.
    lines = (f"{f},7,100,200,40,100\n{f},8,300,400,40,140\n" for f in range(1, 61))
    tracks.write_text("".join(lines))
    scene = Scene("yard", Path("none"), 7, [(0, 29), (30, 59)], None, rows=(100, 532), truth="tracks")
    pieces = timeline(scene, 20.0, 0.3, 0, SUBSTREAM.rate)
    rows = moved_tracks(tracks, scene, pieces, SUBSTREAM)
    scale = 360 / 432
    assert {row[2:6] for row in rows} == {(100 * scale, 100 * scale, 140 * scale, 200 * scale)}
    assert {row[1] for row in rows} == set(range(len(pieces))), "a track for each moment"
    assert sorted(row[0] for row in rows) == [
        frame for piece in pieces for frame in range(piece.at, piece.at + piece.frames)
    ]


def test_noise_differs_from_frame_to_frame_and_has_no_bias() -> None:
    noise = SensorNoise(64, 48, 1)
    grey = np.full((48, 64, 3), 128, np.uint8)
    first, second = noise(grey), noise(grey)
    assert (first != second).any() and (grey == 128).all()
    assert first.mean() == pytest.approx(128, abs=0.3) and first.std() == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize(("b_frames", "suffix"), [(0, ".mp4"), (3, ".mp4"), (2, ".mkv")])
def test_times_are_those_of_the_decoded_frames_also_of_a_cut(
    tmp_path: Path, b_frames: int, suffix: str
) -> None:
    video = write_video(tmp_path / f"a{suffix}", 60, b_frames=b_frames, fps=10, gop=12, offset_ms=700)
    short = cut(video, tmp_path / f"b{suffix}", 2.0)
    for path, frames in ((video, 60), (short, 24)):
        times = frame_times(path)
        with av.open(str(path)) as container:
            decoded = [frame.time for frame in container.decode(video=0)]
        stamps = [time for time in decoded if time is not None]
        assert len(times.offsets) == frames == len(stamps)
        assert np.allclose(times.offsets / 1e6, np.array(stamps) - stamps[0], atol=2e-3)
        assert times.rate == pytest.approx(10, rel=0.01)


def test_no_recordings_and_a_video_of_one_frame_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="got neither"):
        scenes_of(tmp_path)
    with pytest.raises(SourceError, match="at least two frames, got 1"):
        frame_times(write_video(tmp_path / "one.mp4", 1))
