"""Evidence opens the recordings that hold its window and no others, and none that was replaced."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import pytest

from incidents.evidence import ClipSource, EvidenceError, write_evidence
from incidents.evidence.clips import cut_clip
from incidents.evidence.footage import footage_in
from tests.footage import number_of, picture, write_video
from tests.incidents.evidence.evidence_samples import CAMERA, INCIDENT, SOURCE_START, WINDOW, people
from vision.frames import SECOND
from vision.sources.fingerprint import FileMark, check_unchanged, fingerprint, size_and_date
from vision.sources.timeline import SourceError

LENGTH = 10 * SECOND
"""Of each recording."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each file was opened for reading."""
    counted: Counter[str] = Counter()
    really = av.open

    def counting(file: str, mode: str | None = None, *more: object, **options: object) -> object:
        if mode != "w":
            counted[Path(file).name] += 1
        return really(file, mode, *more, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(av, "open", counting)
    yield counted


def mark(path: Path) -> FileMark:
    return FileMark(*size_and_date(path), fingerprint(path))


def recorded(path: Path, start: int = SOURCE_START) -> ClipSource:
    return ClipSource(path, start, end_us=start + LENGTH, mark=mark(path))


def archive(folder: Path, count: int, codec: str = "libx264") -> list[ClipSource]:
    """Recordings one after the other, most of them before the incident; the incident is in 'now'."""
    now = write_video(folder / ("now.mp4" if codec == "libx264" else "now.avi"), 100, codec=codec)
    sources = [recorded(now)]
    for n in range(1, count):
        link = now.with_name(f"{n}{now.suffix}")
        os.link(now, link)
        sources.append(recorded(link, SOURCE_START + (n if n <= 3 else -n) * LENGTH))
    return sources


@pytest.mark.parametrize("count", [1, 10, 300])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_only_the_recording_of_the_incident_is_opened(
    tmp_path: Path, opened: Counter[str], count: int, codec: str
) -> None:
    sources = archive(tmp_path, count, codec)
    opened.clear()

    evidence = write_evidence(
        tmp_path / "e",
        sources=sources,
        window=WINDOW,
        observations=people(),
        camera=CAMERA,
        incident=INCIDENT,
    )

    assert evidence.clip.frames > 40
    del opened["clip.mp4"]
    assert set(opened) == {sources[0].path.name}
    if evidence.clip.mode == "copied":
        assert opened.total() == 1, "clip and key frame come from one pass"


def test_a_window_over_two_recordings_opens_both_and_no_third(tmp_path: Path, opened: Counter[str]) -> None:
    sources = archive(tmp_path, 20)
    opened.clear()

    cut = cut_clip(sources, SOURCE_START + 8 * SECOND, SOURCE_START + 12 * SECOND, tmp_path / "c.mp4")

    assert cut.info.mode == "encoded" and cut.info.frames == 41
    assert set(opened) == {"now.mp4", "1.mp4", "c.mp4"}


@pytest.mark.parametrize("how", ["gone", "replaced", "overwritten by a longer one"])
def test_a_recording_that_is_not_the_one_analysed_is_named_and_not_used(tmp_path: Path, how: str) -> None:
    sources = archive(tmp_path, 3)
    path = sources[1].path
    path.unlink()
    if how == "replaced":
        write_video(path, 100, first=500, codec="mpeg4")
    elif how != "gone":
        write_video(path, 200, first=500)
    said = (
        "no such file" if how == "gone" else r"expected the recording that was analysed \(.* got another one"
    )

    both = cut_clip(sources, SOURCE_START + 8 * SECOND, SOURCE_START + 12 * SECOND, tmp_path / "c.mp4")
    assert len(both.missing) == 1 and "1.mp4" in both.missing[0]
    assert both.info.end_us == SOURCE_START + LENGTH

    with pytest.raises(EvidenceError, match=said):
        cut_clip(sources, SOURCE_START + 12 * SECOND, SOURCE_START + 15 * SECOND, tmp_path / "d.mp4")
    # Elsewhere the missing file is no matter.
    assert cut_clip(sources, SOURCE_START, SOURCE_START + SECOND, tmp_path / "e.mp4").missing == ()


def test_a_copy_with_another_date_and_a_file_that_grew_are_still_the_recording(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", 60)
    source = recorded(path)
    os.utime(path, (1, 1))
    assert footage_in([source], SOURCE_START, SOURCE_START + SECOND).sources == (source,)

    with path.open("ab") as file:
        file.write(write_video(tmp_path / "more.ts", 40, first=60).read_bytes())
    assert footage_in([source], SOURCE_START, SOURCE_START + SECOND).sources == (source,)

    shutil.copyfile(tmp_path / "more.ts", path)
    assert "got another one" in footage_in([source], SOURCE_START, SOURCE_START + SECOND).missing[0]


def test_an_image_sequence_is_known_by_all_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(8):
        cv2.imwrite(str(folder / f"{number}.png"), picture(number))
    known = mark(folder)
    source = ClipSource(folder, SOURCE_START, 2.0, SOURCE_START + 4 * SECOND, known)

    cut = cut_clip([source], SOURCE_START, SOURCE_START + SECOND, tmp_path / "c.mp4")
    assert number_of(cut.picture.image) == 0

    cv2.imwrite(str(folder / "8.png"), picture(8))
    with pytest.raises(SourceError, match="expected the recording that was analysed"):
        check_unchanged(folder, known)
    shutil.rmtree(folder)
    with pytest.raises(SourceError, match="no such file"):
        check_unchanged(folder, known)
