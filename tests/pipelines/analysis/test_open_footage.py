"""What is opened before an analysis: which files, from when to when, and whether they are of one camera."""

from __future__ import annotations

import os
from pathlib import Path

import av
import cv2
import pytest

from incidents.ledger import Ledger
from pipelines.analysis.open_footage import OpenedFootage, SeveralScenesError, describe_time
from pipelines.analysis.request import AnalyzeRequest
from pipelines.analysis.starts import apply_starts, read_start
from pipelines.assignment import assign
from pipelines.home import Home
from tests.footage import picture, write_video
from vision.frames import SECOND, from_iso
from zones.errors import LazarettoError
from zones.facility import Facility, load_facility

HEAD = "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\ncameras:\n"
YARD = "  - {id: yard, places: [yard]}\n"
GATE = "  - {id: gate, places: [gate]}\n"


def facility(folder: Path, cameras: str = YARD) -> Facility:
    path = folder / "facility.yaml"
    path.write_text(HEAD + cameras)
    return load_facility(str(path))


def opened(
    arguments: list[str], of: Facility, *, starts: list[str] | None = None, **options: bool
) -> OpenedFootage:
    assigned = assign(arguments, of)
    given = [read_start(text, of.timezone) for text in starts or []]
    footage = apply_starts(assigned.footage, given, arguments)
    request = AnalyzeRequest(of, footage, Home(Path("unused")), left_out=assigned.left_out, **options)
    result = request.open()
    result.faults[:0] = assigned.faults
    return result


def video(path: Path, first: int = 0, frames: int = 20, size: tuple[int, int] = (160, 120)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, frames, first=first, size=size)


def with_metadata(path: Path, out: Path, created: str) -> Path:
    """Copy the packets of a video, with another creation time."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        target.metadata["creation_time"] = created
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return out


class TestTimes:
    def test_a_mere_file_date_is_refused_with_the_ways_out(self, tmp_path: Path) -> None:
        path = video(tmp_path / "yard.mkv")
        os.utime(path, ns=(0, from_iso("2026-11-20T08:00:02+07:00") * 1000))
        of = facility(tmp_path)

        refused = opened([str(path)], of)
        [fault] = map(str, refused.faults)
        assert not refused.sources
        for way in ("--start", "20261124_080000", "--accept-file-dates", "2026-11-20 08:00:00+07:00"):
            assert way in fault

        accepted = opened([str(path)], of, accept_file_dates=True)
        assert accepted.sources[0].source.start_us == from_iso("2026-11-20T08:00:00+07:00")
        assert "guess" in accepted.warnings[0]
        assert "2026-11-20 08:00:00+07:00 to 2026-11-20 08:00:02+07:00" in describe_time(
            accepted.sources[0], of
        )

    def test_where_name_and_container_differ_each_file_is_named(self, tmp_path: Path) -> None:
        plain = video(tmp_path / "plain.mp4")
        for hour in ("08", "09"):
            with_metadata(plain, tmp_path / f"20211124_{hour}0000.mp4", "2021-11-27T03:15:00Z")
        plain.unlink()

        result = opened([str(tmp_path)], facility(tmp_path))

        assert [item.source.start_us for item in result.sources] == [
            from_iso(f"2021-11-24T{hour}:00:00+07:00") for hour in ("08", "09")
        ]
        disagree = [warning for warning in result.warnings if "disagree" in warning]
        assert [hour in text for hour, text in zip(("_080000", "_090000"), disagree, strict=True)] == [
            True
        ] * 2

    @pytest.mark.parametrize(
        "text",
        [
            "2021-11-24 08:00",
            "2021-11-24T08:00:00",
            "24/11/2021 08:00",
            "24-11-2021 8:00:00",
            "8h00 24/11/2021",
            "2021-11-24 08:00 +07:00",
            "2021-11-24T01:00:00Z",
        ],
    )
    def test_a_start_is_read_as_people_write_it(self, text: str) -> None:
        assert read_start(text, "Asia/Ho_Chi_Minh").t == from_iso("2021-11-24T08:00:00+07:00")
        named = read_start(f"my=file.mp4={text}", "Asia/Ho_Chi_Minh")
        assert (named.source, named.t) == ("my=file.mp4", from_iso("2021-11-24T08:00:00+07:00"))

    @pytest.mark.parametrize(
        "text", ["", "yesterday", "2021-11-24", "08:00", "31/02/2021 08:00", "1970-01-01 00:00"]
    )
    def test_what_is_no_time_is_refused(self, text: str) -> None:
        with pytest.raises(LazarettoError, match="--start: expected a time such as"):
            read_start(text, "Asia/Ho_Chi_Minh")

    def test_each_source_may_have_its_own_start(self, tmp_path: Path) -> None:
        a, b = (str(video(tmp_path / name, first)) for name, first in (("a.mkv", 0), ("b.mkv", 300)))
        of = facility(tmp_path)
        times = ["2021-11-24 08:00", "2021-11-24 09:00"]
        expected = [from_iso("2021-11-24T08:00:00+07:00"), from_iso("2021-11-24T09:00:00+07:00")]
        for starts in (times, [f"b.mkv={times[1]}", f"{a}={times[0]}"]):
            result = opened([f"yard={a}", f"yard={b}"], of, starts=starts)
            assert [item.source.start_us for item in result.sources] == expected
        for wrong, message in (
            ([times[0]], "got 2 of camera yard"),
            ([f"yard={times[0]}"], "got 2 of camera yard"),
            ([f"c.mkv={times[0]}"], "expected a source of this run"),
            ([*times, times[0]], "one for each of the 2 sources, got 3"),
        ):
            with pytest.raises(LazarettoError, match=message):
                opened([f"yard={a}", f"yard={b}"], of, starts=wrong)


class TestFolders:
    def test_days_below_a_folder_are_sources_of_the_camera_that_the_folder_names(
        self, tmp_path: Path
    ) -> None:
        for day in ("23", "24"):
            video(tmp_path / "cctv" / "gate" / f"2021-11-{day}" / "08-00-00.mp4", int(day))
        (tmp_path / "cctv" / "gate" / "2021-11-23" / "08-00-00.jpg").touch()

        result = opened([str(tmp_path / "cctv")], facility(tmp_path, YARD + GATE))

        assert [(item.source.camera, item.source.start_us) for item in result.sources] == [
            ("gate", from_iso(f"2021-11-{day}T08:00:00+07:00")) for day in ("23", "24")
        ]
        assert len(result.warnings) == 1 and "1 file left out: 1 .jpg (08-00-00.jpg)" in result.warnings[0]

    def test_images_of_several_days_are_one_source_for_each_day(self, tmp_path: Path) -> None:
        for day in ("23", "24"):
            folder = tmp_path / "stills" / f"2021-11-{day}"
            folder.mkdir(parents=True)
            for second in range(3):
                cv2.imwrite(str(folder / f"08-00-0{second}.jpg"), picture(second))

        result = opened([f"yard={tmp_path / 'stills'}"], facility(tmp_path))

        assert [(item.source.start_us, item.source.duration_us) for item in result.sources] == [
            (from_iso(f"2021-11-{day}T08:00:00+07:00"), 3 * SECOND) for day in ("23", "24")
        ]


class TestScenes:
    @pytest.mark.parametrize(
        ("files", "named"),
        [
            ({"a_20211124_080000": 160, "a_20211124_081000": 320}, ("160 x 120 px", "320 x 240 px")),
            ({"ch01_20211124_080000": 160, "ch02_20211124_090000": 160}, ("channel 1", "channel 2")),
            ({"D1/20211124_CH1_080000": 160, "D2/20211124_CH2_081000": 160}, ("channel 1", "channel 2")),
            ({"yard_20211124_080000": 160, "gate_20211124_090000": 160}, ("yard", "gate")),
            ({"yard/20211124_080000": 160, "gate/20211124_090000": 160}, ("yard", "gate")),
            ({"kitchen/20211124_080000": 160, "garage/20211124_090000": 160}, ("kitchen", "garage")),
            ({"Cổng trước/20211124_080000": 160, "Sân sau/20211124_090000": 160}, ("Cổng trước", "Sân sau")),
            ({"Kênh 1/20211124_080000": 160, "Kênh 2/20211124_090000": 160}, ("channel 1", "channel 2")),
            ({"D01_20211124080000": 160, "D02_20211124090000": 160}, ("channel 1", "channel 2")),
            ({"001/20211124_080000": 160, "002/20211124_090000": 160}, ("channel 1", "channel 2")),
            ({"front_20211124_080000": 160, "rear_20211124_080001": 160}, ("front", "rear")),
            ({"front_20211124_080000": 160, "rear_20211124_080000.5": 160}, ("front", "rear")),
            ({"one/20211124_080000": 160, "two/20211124_080000": 160}, ("one", "two")),
            (
                {"10.0.0.4_01_20211124080000": 160, "10.0.0.4_02_20211124090000": 160},
                ("channel 1", "channel 2"),
            ),
        ],
    )
    def test_several_scenes_as_one_camera_are_refused_and_named(
        self, tmp_path: Path, files: dict[str, int], named: tuple[str, str]
    ) -> None:
        for n, (name, width) in enumerate(files.items()):
            video(tmp_path / "in" / f"{name}.mkv", n * 100, 30, (width, width * 3 // 4))
        of = facility(tmp_path, YARD + GATE)

        with pytest.raises(SeveralScenesError) as refused:
            opened([f"yard={tmp_path / 'in'}"], of)
        for word in (*named, "--one-camera", "camera yard"):
            assert word in str(refused.value)
        assert len(opened([f"yard={tmp_path / 'in'}"], of, one_camera=True).sources) == 2
        one_by_one = [f"yard={path}" for path in sorted((tmp_path / "in").rglob("*.mkv"))]
        assert len(opened(one_by_one, of).sources) == 2, "the user named each of them"

    @pytest.mark.parametrize(
        "files",
        [
            ["yard_20211124_080000", "yard_20211124_080002", "yard_20211125_080000"],
            ["jump_20211124_080000", "next_20211124_080002"],
            ["20211124_080000", "20211124_080001.9", "export 20211124_090000"],
            ["2021-11-24/08-00-00", "2021-11-25/08-00-00"],
            ["Thứ hai/20211122_080000", "Thứ ba/20211123_080000", "motion_20211124_080000"],
            ["192.168.1.64_01_20211124080000", "192.168.1.64_01_20211124090000"],
        ],
    )
    def test_the_files_of_one_recorder_are_one_scene(self, tmp_path: Path, files: list[str]) -> None:
        for n, name in enumerate(files):
            video(tmp_path / "in" / f"{name}.mkv", n * 100, frames=25)

        result = opened([f"yard={tmp_path / 'in'}"], facility(tmp_path, YARD + GATE))

        assert len(result.sources) == len(files)

    def test_names_of_different_places_are_scenes_from_two_files_each_on(self, tmp_path: Path) -> None:
        names = ["kitchen_20211124_080000", "garage_20211124_090000", "kitchen_20211124_100000"]
        for n, name in enumerate(names):
            video(tmp_path / "in" / f"{name}.mkv", n * 100, frames=25)
        of = facility(tmp_path)

        found = opened([f"yard={tmp_path / 'in'}"], of)
        assert len(found.sources) == 3
        [warning] = found.warnings
        assert "different words in their names (kitchen, garage) and are taken for one scene" in warning

        video(tmp_path / "in" / "garage_20211124_110000.mkv", 300, frames=25)
        with pytest.raises(SeveralScenesError, match=r"names of different places: kitchen .*; garage"):
            opened([f"yard={tmp_path / 'in'}"], of)

    @pytest.mark.parametrize(
        ("home", "argument"),
        [("site", "in"), ("site", "in/*"), ("site", "."), ("more/site", "in"), (".", "in"), (".", "in/*")],
    )
    def test_a_home_among_the_recordings_is_no_footage(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, argument: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        recording = video(tmp_path / "in" / "yard_20211124_080000.mp4", frames=40)
        site = Home(tmp_path / "in" / home)
        clip = site.evidence / "yard" / "2021-11-24" / "ab12" / "clip.mp4"
        clip.parent.mkdir(parents=True)
        clip.write_bytes(recording.read_bytes())
        Ledger.open(site.ledger).close()

        assigned = assign([f"yard={argument}"], facility(tmp_path))

        assert [item.path.resolve() for item in assigned.footage] == [recording]
        assert not assigned.faults
        [said] = [text for text in assigned.left_out if "passed over" in text]
        assert str(Path("in", "evidence" if home == "." else home)) in said
        # What is named itself is taken.
        assert [item.path for item in assign([f"yard={clip}"], facility(tmp_path)).footage] == [clip]

    def test_a_folder_with_nothing_but_a_home_names_it(self, tmp_path: Path) -> None:
        site = Home(tmp_path / "in" / "site")
        video(site.evidence / "clip.mp4")
        Ledger.open(site.ledger).close()

        assigned = assign([f"yard={tmp_path / 'in'}"], facility(tmp_path))

        [fault] = assigned.faults
        assert not assigned.footage and f"got none beside what is passed over: {site.path}" in str(fault)

    def test_a_folder_that_only_has_the_name_of_one_of_a_home_is_entered(self, tmp_path: Path) -> None:
        path = video(tmp_path / "in" / "evidence" / "yard_20211124_080000.mp4")

        assert [item.path for item in assign([str(tmp_path / "in")], facility(tmp_path)).footage] == [path]

    def test_a_second_copy_of_a_recording_is_left_out_and_named(self, tmp_path: Path) -> None:
        folder = tmp_path / "in"
        first = video(folder / "yard_20211124_080000.mp4", frames=40)
        with_metadata(first, folder / "export_20211124_080000.mp4", "2021-11-27T03:15:00Z")
        (folder / "copy").mkdir()
        (folder / "copy" / "yard_20211124_080000.mp4").write_bytes(first.read_bytes())

        result = opened([f"yard={folder}"], facility(tmp_path))

        assert len(result.sources) == 1
        assert sum("another copy" in warning for warning in result.warnings) == 2


def test_one_recording_given_for_two_cameras_is_named(tmp_path: Path) -> None:
    path = video(tmp_path / "a_20261124_080000.mp4")
    other = video(tmp_path / "b_20261124_080000.mp4", first=50)
    of = facility(tmp_path, YARD + GATE)
    twice = opened([f"yard={path}", f"gate={path}"], of)
    assert len(twice.sources) == 2
    [warning] = [text for text in twice.warnings if "counts for both" in text]
    assert warning.startswith(f"{path}: the same recording is given for camera yard, too")
    apart = opened([f"yard={path}", f"gate={other}"], of)
    assert not [text for text in apart.warnings if "counts for both" in text]
