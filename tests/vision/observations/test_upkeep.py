from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.incidents.rules.rule_scenes import NOON, long_log
from tests.observing import START, rows
from vision.frames import SECOND
from vision.observations import (
    ALL_TIME,
    HOUR,
    ObservationError,
    TornError,
    part_path,
    read,
    span,
    stored_hours,
    upkeep,
    write_parquet,
    write_part,
)
from vision.observations.files import read_file
from vision.observations.log import HOUR_FILE, hour_folder

ROOT = Path(__file__).parents[3]
MINUTE = 60 * SECOND
MASKS = ("mask_masked", "mask_unmasked", "mask_incorrect")


def written(home: Path, minutes: int = 4) -> pl.DataFrame:
    """Write a log of some minutes, one part per minute; returns the rows as they are read back."""
    seen = long_log(minutes / 60)
    for start in range(NOON, NOON + minutes * MINUTE, MINUTE):
        moment = pl.col("t").dt.timestamp("us")
        write_part(home, seen.filter((moment >= start) & (moment < start + MINUTE)), "cam-1", start)
    return everything(home)


def everything(home: Path, camera: str = "cam-1") -> pl.DataFrame:
    return read(home, camera, *ALL_TIME)


def files(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*.parquet*"))


def test_compacting_loses_no_row_and_leaves_one_file(tmp_path: Path) -> None:
    before = written(tmp_path)
    size = sum(item.bytes for item in upkeep.hour_summaries(tmp_path, "cam-1"))
    assert upkeep.parts_to_compact(tmp_path, "cam-1", NOON) == 4
    assert upkeep.compact(tmp_path, "cam-1", NOON) == 4
    assert files(tmp_path) == [HOUR_FILE]
    assert everything(tmp_path).equals(before)
    assert sum(item.bytes for item in upkeep.hour_summaries(tmp_path, "cam-1")) < size
    assert upkeep.compact(tmp_path, "cam-1", NOON) == 0
    assert span(tmp_path, "cam-1") == (NOON, NOON + 4 * MINUTE - SECOND // 5 + 1)


def unsteady(seen: pl.DataFrame) -> pl.DataFrame:
    """Add noise to a log, as detectors do: edges, faces, scores and probabilities jitter between frames."""
    generator = np.random.default_rng(0)
    shares = generator.dirichlet((8, 1, 1), len(seen))
    noise = {
        **{name: pl.col(name) + generator.normal(0, 1.5, len(seen)) for name in ("x1", "y1", "x2", "y2")},
        "score": pl.col("score") + generator.normal(0, 0.06, len(seen)),
        "face_height": pl.col("face_height") + generator.normal(0, 1.5, len(seen)),
        "face_change": pl.Series(generator.exponential(0.1, len(seen))),
        **{name: pl.Series(shares[:, n]) for n, name in enumerate(MASKS)},
    }
    assessed = pl.col("mask_masked").is_not_null()
    seen = seen.with_columns(
        (pl.when(assessed).then(value) if name in ("face_change", *MASKS) else value)
        .cast(pl.Float32)
        .alias(name)
        for name, value in noise.items()
    )
    return seen.with_columns(foot_x=(pl.col("x1") + pl.col("x2")) / 2, foot_y="y2")


def test_a_person_in_view_takes_less_than_30_bytes_per_second(tmp_path: Path) -> None:
    """A day with three people in view at 5 frames/s; the README states this figure."""
    write_part(tmp_path, unsteady(long_log(24)), "cam-1", NOON)
    stored = list(upkeep.hour_summaries(tmp_path, "cam-1"))
    seconds = sum(hour.seconds for hour in stored)
    bytes_per_second = sum(hour.bytes for hour in stored) / seconds
    assert (len(stored), seconds) == (24, pytest.approx(3 * 24 * 3600, rel=0.001))
    assert bytes_per_second < 30


def test_later_parts_join_a_compacted_hour_and_a_part_written_again_replaces_its_rows(tmp_path: Path) -> None:
    before = written(tmp_path)
    upkeep.compact(tmp_path, "cam-1", NOON)
    later = rows([NOON + 9 * MINUTE], "cam-1")
    write_part(tmp_path, later, "cam-1", NOON + 9 * MINUTE)
    assert len(everything(tmp_path)) == len(before) + 1
    anew = rows([NOON + MINUTE], "cam-1")
    write_part(tmp_path, anew, "cam-1", NOON + MINUTE)
    moment = pl.col("t").dt.timestamp("us")
    others = before.filter((moment < NOON + MINUTE) | (moment >= NOON + 2 * MINUTE))
    expected = pl.concat([others, anew, later]).sort("t", "track")
    assert everything(tmp_path).equals(expected)
    assert upkeep.compact(tmp_path, "cam-1", NOON) == 2
    assert everything(tmp_path).equals(expected)
    assert files(tmp_path) == [HOUR_FILE]


def test_rows_of_a_track_at_the_same_time_keep_their_order_when_compacted(tmp_path: Path) -> None:
    for number, start in enumerate((NOON, NOON + 1)):
        part = rows([NOON + 5] * 3, "cam-1").with_columns(
            track=pl.lit(7, pl.Int64), frame=pl.Series([10 * number + n for n in (2, 0, 1)])
        )
        write_part(tmp_path, part, "cam-1", start)
    assert everything(tmp_path)["frame"].to_list() == [2, 0, 1, 12, 10, 11]
    upkeep.compact(tmp_path, "cam-1", NOON)
    assert everything(tmp_path)["frame"].to_list() == [2, 0, 1, 12, 10, 11]


def test_empty_parts_and_parts_of_two_resolutions_are_compacted(tmp_path: Path) -> None:
    write_part(tmp_path, rows([], "cam-1"), "cam-1", NOON)
    for start, height in ((NOON + 1, 480), (NOON + 2, 1080)):
        part = rows([start], "cam-1").with_columns(
            height=pl.lit(height, pl.Int32), x1=pl.lit(-100.25, pl.Float32), x2=pl.lit(5000.75, pl.Float32)
        )
        write_part(tmp_path, part, "cam-1", start)
    before = everything(tmp_path)
    assert before["x1"].to_list() == [-100.25, -100.0]
    assert upkeep.compact(tmp_path, "cam-1", NOON) == 3
    assert everything(tmp_path).equals(before)


def test_parts_in_the_old_format_are_read_unchanged_and_not_compacted(tmp_path: Path) -> None:
    old = rows([START], "cam-1").with_columns(x1=pl.lit(0.123, pl.Float32), ground_x=pl.lit(1.5, pl.Float32))
    write_parquet(tmp_path / part_path("cam-1", START), old.drop("face_change"))
    for start in (START + 1, START + 2):
        write_part(tmp_path, rows([start], "cam-1"), "cam-1", start)
    before = everything(tmp_path)
    assert before["x1"][0] == pytest.approx(0.123) and before["ground_x"][0] == 1.5
    assert upkeep.compact(tmp_path, "cam-1", START) == 2
    assert everything(tmp_path).equals(before)
    assert len(files(tmp_path)) == 2
    [hour] = upkeep.hour_summaries(tmp_path, "cam-1")
    assert (hour.files, hour.old_format_files, hour.rows) == (2, 1, 3)


def test_a_kill_at_any_change_to_a_file_leaves_every_row_readable_once(tmp_path: Path) -> None:
    parts = 3
    before = written(tmp_path / "home", parts)
    changes = 2 + parts  # the new file is opened and renamed, then the parts are removed
    homes = [Path(shutil.copytree(tmp_path / "home", tmp_path / str(n))) for n in range(changes + 1)]
    program = [sys.executable, "-m", "tests.vision.observations.compactor"]
    running = [
        subprocess.Popen([*program, home, "cam-1", str(NOON), str(n)], cwd=ROOT)
        for n, home in enumerate(homes)
    ]
    codes = [process.wait(timeout=120) for process in running]
    assert codes == [-signal.SIGKILL] * changes + [0]
    assert len({tuple(files(home)) for home in homes}) > parts
    for home in homes:
        assert everything(home).equals(before)
        upkeep.clean_leftovers(home, "cam-1")
        upkeep.compact(home, "cam-1", NOON)
        assert everything(home).equals(before)
        assert [path.name for path in home.rglob("*") if path.is_file()] == [HOUR_FILE]


def test_a_reader_sees_every_row_once_while_another_process_compacts(tmp_path: Path) -> None:
    before = written(tmp_path)
    parts = {path.name: path.read_bytes() for path in hour_folder(tmp_path, "cam-1", NOON).iterdir()}
    stop = threading.Event()

    def compact_again_and_again() -> None:
        while not stop.is_set():
            upkeep.compact(tmp_path, "cam-1", NOON)
            for name, data in parts.items():
                (hour_folder(tmp_path, "cam-1", NOON) / f".{name}.tmp").write_bytes(data)
                (hour_folder(tmp_path, "cam-1", NOON) / f".{name}.tmp").replace(
                    hour_folder(tmp_path, "cam-1", NOON) / name
                )

    worker = threading.Thread(target=compact_again_and_again)
    worker.start()
    try:
        reads = 0
        while reads < 40:
            try:
                seen = everything(tmp_path)
            except TornError:
                raise
            except ObservationError:
                continue  # on a busy machine, the files may change during every attempt to read them
            assert seen.equals(before)
            reads += 1
    finally:
        stop.set()
        worker.join()


@pytest.mark.parametrize("damage", ["cut", "emptied", "zeroed", "garbage", "one bit", "footer"])
def test_a_torn_file_is_reported_and_set_aside(tmp_path: Path, damage: str) -> None:
    written(tmp_path)
    upkeep.compact(tmp_path, "cam-1", NOON)
    path = hour_folder(tmp_path, "cam-1", NOON) / HOUR_FILE
    data = path.read_bytes()
    middle = len(data) // 3
    path.write_bytes(
        {
            "cut": data[:middle],
            "emptied": b"",
            "zeroed": bytes(len(data)),
            "garbage": b"no Parquet" * 99,
            "one bit": data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :],
            "footer": data.replace(b'"height":960', b'"height":480'),
        }[damage]
    )
    with pytest.raises(TornError, match=f"{HOUR_FILE}: expected a whole file .* torn .*observations recover"):
        everything(tmp_path)
    [(hour, error)] = upkeep.torn_files(tmp_path, "cam-1")
    assert (hour, error.path) == (NOON // HOUR * HOUR, path)
    assert upkeep.set_aside(path).name == f"{HOUR_FILE}.torn"
    assert everything(tmp_path).is_empty()
    assert stored_hours(tmp_path, "cam-1") == ()


def test_a_file_of_a_later_version_is_not_reported_as_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vision.observations.files.FORMAT_VERSION", 2)
    part = tmp_path / write_part(tmp_path, rows([START]), "yard", START)
    monkeypatch.undo()
    with pytest.raises(
        ObservationError, match="expected the observation log in format 1, got format 2"
    ) as caught:
        read_file(part)
    assert not isinstance(caught.value, TornError)


def test_a_removed_hour_is_gone_and_an_interrupted_removal_is_cleaned_up(tmp_path: Path) -> None:
    for start in (START, START + HOUR):
        write_part(tmp_path, rows([start], "cam-1"), "cam-1", start)
    upkeep.remove_hour(tmp_path, "cam-1", START)
    assert len(stored_hours(tmp_path, "cam-1")) == 1 and len(everything(tmp_path)) == 1
    folder = hour_folder(tmp_path, "cam-1", START + HOUR)
    (folder / ".a.parquet.tmp").write_bytes(b"half")
    folder.with_name(".2026-11-24T08.purged").mkdir()
    assert upkeep.clean_leftovers(tmp_path, "cam-1") == 2
    assert len(everything(tmp_path)) == 1
