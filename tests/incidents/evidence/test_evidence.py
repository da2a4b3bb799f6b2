from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from incidents.evidence.boxes import BoxesFile, KeyFrame, boxes_of
from incidents.evidence.clips import ClipInfo, EvidenceError
from incidents.evidence.evidence import (
    Evidence,
    clean_leftovers,
    key_moment,
    read_evidence,
    write_evidence,
)
from incidents.evidence.footage import ClipSource
from incidents.rules.events import Basis, Person
from tests.footage import number_of, picture, write_video
from tests.incidents.evidence.evidence_samples import (
    CAMERA,
    INCIDENT,
    PASSER_BY,
    RESIDENT,
    SOURCE_START,
    STAFF,
    START,
    WINDOW,
    incident,
    people,
    row,
    table,
)
from tests.small_disk import small_disk
from vision.frames import SECOND

ROOT = Path(__file__).parents[3]
CLIP = ClipInfo(SOURCE_START, SOURCE_START + 5 * SECOND, 50, 160, 120, "copied", "h264", 1000, "c" * 64)
KEY_FRAME = KeyFrame(t=SOURCE_START + 4 * SECOND, sha256="d" * 64)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "yard.mp4", 100)


def write(folder: Path, video: Path, window: tuple[int, int] = WINDOW, **changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "sources": [ClipSource(video, SOURCE_START)],
        "window": window,
        "observations": people(),
        "camera": CAMERA,
        "incident": INCIDENT,
    }
    return write_evidence(folder, **(values | changes))


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_writes_clip_key_frame_and_boxes(video: Path, tmp_path: Path) -> None:
    folder = tmp_path / "yard" / "2026-11-24" / INCIDENT.id

    evidence = write(folder, video)

    assert names(tmp_path / "yard" / "2026-11-24") == {
        INCIDENT.id,
        *(f"{INCIDENT.id}/{name}" for name in ("clip.mp4", "keyframe.jpg", "boxes.json")),
    }
    assert [file.kind for file in evidence.files] == ["clip", "keyframe", "boxes"]
    for file in evidence.files:
        data = (folder / file.name).read_bytes()
        assert (file.sha256, file.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
        assert abs(file.created - time.time_ns() // 1000) < 60 * SECOND
    assert evidence.files[0].sha256 == evidence.clip.sha256
    assert evidence.clip.mode == "copied"
    assert read_evidence(folder) == evidence


def test_the_key_frame_shows_the_moment_with_everybody_in_it(video: Path, tmp_path: Path) -> None:
    evidence = write(tmp_path / "e", video)

    assert evidence.keyframe_t == SOURCE_START + 4_400_000
    image = cv2.imread(str(tmp_path / "e" / "keyframe.jpg"))
    assert image is not None and image.shape == (120, 160, 3)
    # Under the drawing is the picture of that moment.
    plain = picture(44)[95:118, 100:].astype(int)
    assert np.abs(image[95:118, 100:].astype(int) - plain).mean() < 15
    others = [np.abs(picture(n)[95:118, 100:].astype(int) - plain).mean() for n in (42, 43, 45, 46)]
    assert min(others) > 15
    red = (image[..., 2] > 150) & (image[..., :2].max(axis=2) < 110)
    assert red[62:108, 36:64].any() and red[62:108, 66:94].any()


def test_the_key_moment() -> None:
    assert key_moment(people(), INCIDENT) == SOURCE_START + 4_400_000
    alone = incident(people=(Person(RESIDENT, "resident", 0.9, Basis.ORIGIN),))
    assert key_moment(people(), alone) == START
    assert key_moment(table(), INCIDENT) == START
    # Before and after the incident does not count, nor do people who have no part in it.
    assert key_moment(table(row(3000, RESIDENT), row(5000, PASSER_BY), row(6100, STAFF)), INCIDENT) == START


def test_boxes_are_in_shares_of_the_picture_and_seconds_of_the_clip() -> None:
    clip = replace(CLIP, start_us=SOURCE_START + 3 * SECOND)
    written = boxes_of(people(), clip, WINDOW, KEY_FRAME).to_json()
    track = json.loads(written)
    Draft202012Validator(BoxesFile.model_json_schema(by_alias=True)).validate(track)
    assert BoxesFile.model_validate_json(written).to_json() == written

    assert (track["schema"], track["width"], track["height"]) == (1, 160, 120)
    assert track["start"] == "2026-11-24T01:00:03.000000Z"
    assert track["clip"]["sha256"] == CLIP.sha256
    # The clip's end, at 5 s of the footage, is no part of it.
    assert [frame["t"] for frame in track["frames"]] == [n / 5 for n in range(10)]
    assert track["frames"][0]["people"] == [
        {"track": f"{PASSER_BY:016x}", "box": [0.0, 0.5, 0.125, 0.9167]},
        {
            "track": f"{RESIDENT:016x}",
            "box": [0.25, 0.5, 0.375, 0.9167],
            "role": "resident",
            "mask": "unmasked",
        },
    ]
    assert track["frames"][-1]["people"][-1] == {
        "track": f"{STAFF:016x}",
        "box": [0.4375, 0.5, 0.5625, 1.0],
        "role": "staff_ppe",
    }


def test_pictures_without_people_have_no_boxes() -> None:
    assert boxes_of(table(), CLIP, WINDOW, KEY_FRAME).frames == []
    assert boxes_of(table(row(0, STAFF)), CLIP, WINDOW, KEY_FRAME).frames[0].t == 0


def test_doing_it_again_changes_nothing(video: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "e", video)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "e").iterdir()}

    assert write(tmp_path / "e", video) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "e").iterdir()} == stamps


def test_a_longer_window_is_written_beside_what_may_be_sealed_already(video: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "e", video)
    sealed = {file.name: file.sha256 for file in first.files}

    longer = write(tmp_path / "e", video, (WINDOW[0], WINDOW[1] + 2 * SECOND))

    assert [file.name for file in longer.files] == ["2/clip.mp4", "2/keyframe.jpg", "2/boxes.json"]
    assert longer.clip.end_us > first.clip.end_us
    for name, digest in sealed.items():
        assert hashlib.sha256((tmp_path / "e" / name).read_bytes()).hexdigest() == digest
    assert read_evidence(tmp_path / "e") == longer
    assert write(tmp_path / "e", video, (WINDOW[0], WINDOW[1] + 2 * SECOND)) == longer


def test_footage_that_came_later_completes_a_clip(video: Path, tmp_path: Path) -> None:
    more = write_video(tmp_path / "more.mp4", 100, first=100)
    window = (SOURCE_START + 8 * SECOND, SOURCE_START + 14 * SECOND)
    short = write(tmp_path / "e", video, window)
    assert short.clip.end_us == SOURCE_START + 10 * SECOND
    assert write(tmp_path / "e", video, window) == short
    assert not (tmp_path / "e" / "2").exists()

    both = [ClipSource(video, SOURCE_START), ClipSource(more, SOURCE_START + 10 * SECOND)]
    whole = write(tmp_path / "e", video, window, sources=both)

    assert (whole.clip.mode, whole.clip.frames) == ("encoded", 61)
    assert whole.files[0].name == "2/clip.mp4"


@pytest.mark.parametrize("name", ["clip.mp4", "keyframe.jpg", "boxes.json"])
@pytest.mark.parametrize("how", ["gone", "altered"])
def test_evidence_that_was_tampered_with_is_not_taken_for_sound(
    video: Path, tmp_path: Path, name: str, how: str
) -> None:
    write(tmp_path / "e", video)
    path = tmp_path / "e" / name
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] + b"something")

    assert read_evidence(tmp_path / "e") is None
    assert write(tmp_path / "e", video).files[0].name == "2/clip.mp4"


def test_no_footage_leaves_nothing(video: Path, tmp_path: Path) -> None:
    late = (SOURCE_START + 60 * SECOND, SOURCE_START + 70 * SECOND)
    with pytest.raises(EvidenceError, match="expected footage"):
        write(tmp_path / "e", video, late)
    assert names(tmp_path) == set()

    write(tmp_path / "e", video)
    before = names(tmp_path)
    with pytest.raises(EvidenceError, match="expected footage"):
        write(tmp_path / "e", video, late)
    assert names(tmp_path) == before


def test_a_place_that_cannot_be_written_is_one_sentence(video: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(EvidenceError, match=r"the evidence cannot be written: (Not a directory|File exists)"):
        write(tmp_path / "file" / "e", video)


@pytest.mark.parametrize("kilobytes", [8, 32, 60])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_full_disk_leaves_nothing_half(tmp_path: Path, kilobytes: int, codec: str) -> None:
    video = write_video(tmp_path / "large.mp4", 100, size=(320, 240), codec=codec)
    with small_disk(tmp_path / "disk", f"{kilobytes}k"):
        with pytest.raises(EvidenceError, match="cannot be written: No space left on device"):
            write(tmp_path / "disk" / "e", video)
        assert list((tmp_path / "disk").rglob("*")) == []


def writer(video: Path, folder: Path, most: int, times: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.incidents.evidence.evidence_writer",
            str(video),
            str(folder),
            str(most),
            str(times),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("most", [1, 5000, 20_000])
def test_a_file_that_may_not_grow_leaves_nothing_half(video: Path, tmp_path: Path, most: int) -> None:
    process = writer(video, tmp_path, most, 1)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "cannot be written: File too large" in errors and "Traceback" not in errors
    assert names(tmp_path) == set()


def test_a_kill_at_any_instant_leaves_whole_folders_only(tmp_path: Path) -> None:
    video = write_video(tmp_path / "yard.avi", 100, codec="mpeg4", size=(320, 240))
    home = tmp_path / "home"
    whole = killed_midway = kills = 0
    delay = 0.03
    # How long one clip takes depends on the machine: later and later, until some were cut before the kill.
    while kills < 4 or ((not whole or not killed_midway) and delay < 20):
        home.mkdir()
        process = writer(video, home, 0, 1000)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)

        killed_midway += clean_leftovers(tmp_path)
        for folder in home.iterdir():
            evidence = read_evidence(folder)
            assert evidence is not None and evidence.clip.frames == 51
            assert names(folder) == {"clip.mp4", "keyframe.jpg", "boxes.json"}
            whole += 1
        assert clean_leftovers(tmp_path) == 0
        shutil.rmtree(home)
        kills += 1
        delay *= 1.9
    assert whole and killed_midway


def test_the_folder_takes_its_name_whole_and_in_one_step(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[set[str], bool]] = []
    rename = Path.rename

    def watched(source: Path, target: Path) -> Path:
        steps.append((names(source), (tmp_path / "e").exists()))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", watched)
    write(tmp_path / "e", video)

    assert steps == [({"clip.mp4", "keyframe.jpg", "boxes.json"}, False)]


def test_only_leftovers_are_cleaned(video: Path, tmp_path: Path) -> None:
    kept = write(tmp_path / "yard" / "e", video)
    left = tmp_path / "yard" / f".{INCIDENT.id}.0123abcd.partial"
    inner = tmp_path / "yard" / "e" / ".2.0123abcd.partial"
    others = [tmp_path / ".cache", tmp_path / "yard" / "notes.partial", tmp_path / ".x.0123abcd.partial.txt"]
    for folder in (left, inner, *others):
        folder.mkdir()
        (folder / "clip.mp4").write_bytes(b"half")

    assert clean_leftovers(tmp_path) == 2
    assert not left.exists() and not inner.exists()
    assert all(folder.exists() for folder in others)
    assert read_evidence(tmp_path / "yard" / "e") == kept
    assert clean_leftovers(tmp_path / "nowhere") == 0


def test_what_a_live_writer_is_working_on_is_left_alone(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[int] = []

    def cleaning(path: Path) -> None:
        removed.append(clean_leftovers(tmp_path))

    monkeypatch.setattr("incidents.evidence.evidence.sync_folder", cleaning)

    assert read_evidence(tmp_path / "e") is None
    assert write(tmp_path / "e", video).files
    assert removed == [0, 0]


def test_a_folder_removed_before_it_is_locked_is_made_again(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may clean at any instant, also between making the folder and locking it."""
    make, cleaned = Path.mkdir, list[int]()

    def making(path: Path, *arguments: Any, **options: Any) -> None:
        make(path, *arguments, **options)
        if path.name.endswith(".partial") and len(cleaned) < 3:
            cleaned.append(clean_leftovers(tmp_path))

    monkeypatch.setattr(Path, "mkdir", making)

    assert write(tmp_path / "e", video).files
    assert cleaned == [1, 1, 1] and names(tmp_path / "e") == {"clip.mp4", "keyframe.jpg", "boxes.json"}


def test_evidence_survives_being_moved(video: Path, tmp_path: Path) -> None:
    evidence = write(tmp_path / "e", video)
    os.rename(tmp_path / "e", tmp_path / "moved")

    assert read_evidence(tmp_path / "moved") == replace(evidence, folder=tmp_path / "moved")


H265 = {"codec": "libx265", "options": {"x265-params": "keyint=12:bframes=0:log-level=none"}}
MJPEG = {"codec": "mjpeg", "pix_fmt": "yuvj420p", "gop": 1}


@pytest.mark.parametrize(("settings", "codec"), [(H265, "hevc"), (MJPEG, "mjpeg")])
def test_a_recording_that_browsers_do_not_play_is_kept_beside_its_clip(
    tmp_path: Path, settings: dict[str, Any], codec: str
) -> None:
    recording = write_video(tmp_path / "yard.mkv", 100, **settings)
    folder = tmp_path / INCIDENT.id

    evidence = write(folder, recording)

    assert [file.kind for file in evidence.files] == ["clip", "keyframe", "boxes", "original"]
    assert (evidence.clip.mode, evidence.clip.codec) == ("encoded", "h264")
    with av.open(str(folder / "clip.mp4")) as clip, av.open(str(folder / "original.mp4")) as original:
        assert clip.streams.video[0].codec_context.name == "h264"
        assert original.streams.video[0].codec_context.name == codec
        kept = [number_of(frame.to_ndarray(format="bgr24")) for frame in original.decode(video=0)]
        shown = [number_of(frame.to_ndarray(format="bgr24")) for frame in clip.decode(video=0)]
    lead = len(kept) - len(shown)
    assert kept[lead:] == shown and 0 <= lead < 12
    about = BoxesFile.model_validate_json((folder / "boxes.json").read_bytes()).original
    data = (folder / "original.mp4").read_bytes()
    assert about is not None and about.frames == len(kept)
    assert about.sha256 == evidence.files[3].sha256 == hashlib.sha256(data).hexdigest()
    assert about.start_us == SOURCE_START + kept[0] * 100_000

    assert write(folder, recording) == evidence
    (folder / "original.mp4").write_bytes(data[:-1])
    assert read_evidence(folder) is None, "an original that was altered is not taken for sound"


def test_no_original_stands_beside_a_clip_that_is_the_recording(video: Path, tmp_path: Path) -> None:
    evidence = write(tmp_path / INCIDENT.id, video)
    assert evidence.clip.mode == "copied"
    assert b"original" not in (tmp_path / INCIDENT.id / "boxes.json").read_bytes()
