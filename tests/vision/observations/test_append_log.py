from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.observing import rows
from tests.vision.observations.live_rows import CAMERA, END, between, live_rows, seconds
from tests.vision.observations.test_packing import FIRST, ROW, table
from vision.frames import SECOND
from vision.observations import (
    ALL_TIME,
    HOUR,
    SCHEMA,
    AppendLog,
    ObservationError,
    cameras,
    known_until,
    part_path,
    read,
    read_hours,
    span,
    stored_hours,
    upkeep,
    write_parquet,
    write_part,
)
from vision.observations.log import HOUR_FILE, append_log_files

ROOT = Path(__file__).parents[3]
BEFORE, AFTER = 2, 1


def everything(home: Path) -> pl.DataFrame:
    return read(home, CAMERA, *ALL_TIME)


def file_names(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.is_file())


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(ROW, st.integers(0, 2)), max_size=12),
    st.lists(st.integers(0, 4 * HOUR - 1), max_size=4),
    st.data(),
)
def test_rows_appended_in_any_batches_are_read_as_if_written_at_once(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[tuple[dict[str, Any], int]],
    cuts: list[int],
    data: st.DataObject,
) -> None:
    appended, written = tmp_path_factory.mktemp("appended"), tmp_path_factory.mktemp("written")
    given = table([{**row, "t": row["t"] + hours * HOUR} for row, hours in values])
    write_part(written, given, "yard", FIRST)
    expected = read(written, "yard", *ALL_TIME)
    ends = sorted({FIRST + 1 + cut for cut in cuts} | {FIRST + 4 * HOUR})
    reopened = data.draw(st.sets(st.sampled_from(ends)))
    log, start = AppendLog(appended, "yard"), 0
    for end in ends:
        log.append(between(given, start, end), end)
        seen = read(appended, "yard", *ALL_TIME)
        assert seen.equals(between(expected, 0, end))
        assert known_until(appended, "yard") == log.until == end
        if end in reopened:
            log.close()
            log = AppendLog(appended, "yard")
        start = end
    log.close()
    assert read(appended, "yard", *ALL_TIME).equals(expected)
    assert not list(appended.rglob("*.log"))


def test_an_hour_that_is_over_becomes_a_parquet_file_and_readers_see_no_difference(
    tmp_path: Path,
) -> None:
    log = AppendLog(tmp_path, CAMERA)
    for piece, end in seconds(BEFORE, AFTER):
        log.append(piece, end)
        assert everything(tmp_path).equals(between(live_rows(BEFORE, AFTER), 0, end))
        assert len(append_log_files(tmp_path, CAMERA)) == (end != END)
    assert [name for name in file_names(tmp_path) if name.endswith(".parquet")] == [HOUR_FILE]
    whole = live_rows(BEFORE, AFTER)
    assert cameras(tmp_path) == (CAMERA,)
    assert stored_hours(tmp_path, CAMERA) == (END - HOUR, END)
    assert span(tmp_path, CAMERA) == (END - BEFORE * SECOND, END + AFTER * SECOND - SECOND // 5 + 1)
    assert [hour for hour, _ in read_hours(tmp_path, CAMERA, *ALL_TIME)] == [END - HOUR, END]
    first, second = upkeep.hour_summaries(tmp_path, CAMERA)
    assert (first.append_logs, second.append_logs) == (0, 1)
    assert first.rows + second.rows == len(whole)
    assert first.seconds + second.seconds == pytest.approx(3 * (BEFORE + AFTER))
    assert first.bytes + second.bytes == sum(path.stat().st_size for path in tmp_path.rglob("*.[lp]*"))
    assert not list(upkeep.torn_files(tmp_path, CAMERA))
    log.close()
    upkeep.remove_hour(tmp_path, CAMERA, END)
    assert everything(tmp_path).equals(between(whole, 0, END))


def test_a_kill_before_any_change_to_a_file_leaves_every_row_readable_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the home before each change holds what a kill at that instant leaves on the disk."""
    home, copies = tmp_path / "home", tmp_path / "copies"
    written: list[int] = []
    with copied_before_each_change(home, copies, written, monkeypatch):
        with AppendLog(home, CAMERA) as log:
            for piece, end in seconds(BEFORE, AFTER):
                log.append(piece, end)
                written.append(end)
        upkeep.compact(home, CAMERA, END)
        written.append(END + AFTER * SECOND)
    whole = live_rows(BEFORE, AFTER)
    assert everything(home).equals(whole)
    torn = 0
    for copy in sorted(copies.iterdir()):
        completed = int(copy.name.split("-")[1])
        until = known_until(copy, CAMERA)
        assert (until or 0) >= completed
        assert everything(copy).equals(between(whole, 0, until or 0)), copy.name
        with AppendLog(copy, CAMERA) as log:
            torn += len(log.losses)
            assert log.until == until and everything(copy).equals(between(whole, 0, until or 0))
            for piece, end in seconds(BEFORE, AFTER, until):
                log.append(piece, end)
        assert everything(copy).equals(whole)
        upkeep.clean_leftovers(copy, CAMERA)
        upkeep.compact(copy, CAMERA, END)
        assert everything(copy).equals(whole)
        kept = [name for name in file_names(copy) if not name.endswith(".torn")]
        assert [Path(name).suffix for name in kept] == [".until", ".parquet", ".parquet"]
    assert torn == BEFORE + AFTER


@contextmanager
def copied_before_each_change(
    home: Path, copies: Path, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Copy the home before each change to it, and in the middle of each write to an append log."""
    copies.mkdir()
    copied: list[dict[Path, bytes]] = []
    halves, copying = cycle((True, False)), False

    def copy() -> None:
        state = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
        if home.exists() and state not in copied[-1:]:
            shutil.copytree(home, copies / f"{len(copied):03d}-{written[-1] if written else 0}")
            copied.append(state)

    def before(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **more: Any) -> Any:
            nonlocal copying
            if not copying:
                copying = True  # the changes that copying makes are not those of the log
                copy()
                copying = False
            return change(*arguments, **more)

        return changed

    def write_in_halves(descriptor: int, data: Any, write: Callable[..., int] = os.write) -> int:
        return write(descriptor, data[: len(data) // 2] if next(halves) else data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", before(write_in_halves))
        for name in ("fsync", "ftruncate", "replace", "unlink", "rmdir", "mkdir"):
            patched.setattr(os, name, before(getattr(os, name)))
        yield


def test_a_killed_writer_loses_nothing_that_it_had_appended(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.vision.observations.live_rows", str(tmp_path), "20", "30"]
    whole = live_rows(20, 30)
    for lines in (7, 25):  # killed within the first hour, and within the second
        process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        reported = [int(process.stdout.readline()) for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        until = known_until(tmp_path, CAMERA)
        assert until is not None and until >= reported[-1]
        assert everything(tmp_path).equals(between(whole, 0, until))
    subprocess.run(program, cwd=ROOT, check=True, capture_output=True)
    assert everything(tmp_path).equals(whole)


def test_a_reader_sees_all_rows_up_to_a_moment_while_another_process_appends(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.vision.observations.live_rows", str(tmp_path), "100", "30"]
    whole = live_rows(100, 30)
    writer = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.DEVNULL)
    lengths = [0]
    while writer.poll() is None:
        known = known_until(tmp_path, CAMERA) or 0
        seen = everything(tmp_path)
        assert seen.equals(whole[: len(seen)])
        assert len(seen) >= max(lengths[-1], len(between(whole, 0, known)))
        lengths.append(len(seen))
    assert writer.returncode == 0
    assert len(set(lengths)) > 3
    assert everything(tmp_path).equals(whole)


def test_an_empty_second_is_known_and_an_hour_without_rows_leaves_no_file(tmp_path: Path) -> None:
    with AppendLog(tmp_path, CAMERA) as log:
        log.append(rows([], CAMERA), END - SECOND)
        log.append(rows([], CAMERA), END - SECOND)
        [path] = append_log_files(tmp_path, CAMERA)
        size = path.stat().st_size
        log.append(rows([], CAMERA), END - 1)
        assert path.stat().st_size - size < 100
        assert known_until(tmp_path, CAMERA) == END - 1 and everything(tmp_path).is_empty()
        log.append(rows([], CAMERA), END + 1)
        assert stored_hours(tmp_path, CAMERA) == (END,)
    assert known_until(tmp_path, CAMERA) == END + 1


@pytest.mark.parametrize(
    ("given", "until", "sentence"),
    [
        (rows([END - 1], CAMERA), END + SECOND, "expected rows of camera cam-1 from .* got some from"),
        (rows([END + SECOND], CAMERA), END + SECOND, "to before .* got some from"),
        (rows([], CAMERA), END - 1, "expected rows of camera cam-1 up to .* or later, got them up to"),
        (rows([END], "yard"), END + SECOND, "expected observations of camera 'cam-1', got some of 'yard'"),
        (rows([END], CAMERA).drop("track"), END + SECOND, "expected the columns"),
        (rows([END], CAMERA).with_columns(t=pl.lit(None, SCHEMA["t"])), END + SECOND, "expected a time"),
        (rows([END], CAMERA).with_columns(x1=pl.lit(1e9, pl.Float32)), END + SECOND, "got x1"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_the_log_goes_on(
    tmp_path: Path, given: pl.DataFrame, until: int, sentence: str
) -> None:
    with AppendLog(tmp_path, CAMERA) as log:
        log.append(rows([END - 1], CAMERA), END)
        with pytest.raises(ObservationError, match=sentence):
            log.append(given, until)
        log.append(rows([END], CAMERA), END + SECOND)
    assert len(everything(tmp_path)) == 2
    with pytest.raises(ObservationError, match="got one that was closed"):
        log.append(rows([], CAMERA), END + 2 * SECOND)


def test_a_write_that_fails_half_way_appends_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    (first, end), (second, later) = list(seconds(2, 0))
    with AppendLog(tmp_path, CAMERA) as log:
        log.append(first, end)
        [path] = append_log_files(tmp_path, CAMERA)
        size, limits = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, limits[1]))
        try:
            with pytest.raises(ObservationError, match=r"cannot append to .*: File too large"):
                log.append(second, later)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (log.until, path.stat().st_size) == (end, size)
        log.append(second, later)
        assert log.merge_fault is None
    assert everything(tmp_path).equals(live_rows(2, 0))


def test_after_a_sync_that_fails_the_log_must_be_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, end), (second, later) = list(seconds(3, -1))
    log = AppendLog(tmp_path, CAMERA)
    log.append(first, end)

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(ObservationError, match=r"cannot sync .*: Input/output error"):
            log.append(second, later)
    with pytest.raises(ObservationError, match="must be opened again"):
        log.append(rows([], CAMERA), END)
    log.close()
    with AppendLog(tmp_path, CAMERA) as log:
        assert log.until == later
    assert everything(tmp_path).equals(live_rows(3, -1))


def test_one_writer_at_a_time_has_the_log(tmp_path: Path) -> None:
    with AppendLog(tmp_path, CAMERA) as log:
        log.append(rows([END], CAMERA), END + 1)
        for intrude in (
            lambda: AppendLog(tmp_path, CAMERA),
            lambda: upkeep.compact(tmp_path, CAMERA, END),
        ):
            with pytest.raises(ObservationError, match="expected to be the only writer of"):
                intrude()
        log.append(rows([END + 1], CAMERA), END + 2)
    assert upkeep.compact(tmp_path, CAMERA, END) == 1
    assert len(everything(tmp_path)) == 2


def test_a_log_merged_by_hand_goes_on_where_it_ended(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        with AppendLog(tmp_path, CAMERA) as log:
            assert log.until == (None if count == 1 else END + 10 * (count - 1))
            log.append(rows([END + 10 * count - 1], CAMERA), END + 10 * count)
        assert upkeep.parts_to_compact(tmp_path, CAMERA, END) == 1
        assert upkeep.compact(tmp_path, CAMERA, END) == 1
        assert len(everything(tmp_path)) == count
        assert known_until(tmp_path, CAMERA) == END + 10 * count
        assert [Path(name).suffix for name in file_names(tmp_path)] == [".until", ".parquet"]


def test_append_logs_lie_beside_parts_of_both_formats(tmp_path: Path) -> None:
    old = rows([END + 1], CAMERA).with_columns(x1=pl.lit(0.123, pl.Float32))
    write_parquet(tmp_path / part_path(CAMERA, END + 1), old)
    write_part(tmp_path, rows([END + 2], CAMERA), CAMERA, END + 2)
    with AppendLog(tmp_path, CAMERA) as log:
        log.append(rows([END], CAMERA), END + 3)
    before = everything(tmp_path)
    assert before["t"].dt.timestamp("us").to_list() == [END, END + 1, END + 2]
    assert before["x1"][1] == pytest.approx(0.123)
    assert upkeep.parts_to_compact(tmp_path, CAMERA, END) == upkeep.compact(tmp_path, CAMERA, END) == 2
    assert everything(tmp_path).equals(before)


def test_hours_are_merged_on_another_thread_where_one_is_given(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        with AppendLog(tmp_path, CAMERA, executor=executor) as log:
            for piece, end in seconds(BEFORE, AFTER):
                log.append(piece, end)
        assert everything(tmp_path).equals(live_rows(BEFORE, AFTER))
        assert (tmp_path / part_path(CAMERA, END - 1)).with_name(HOUR_FILE).exists()


def test_an_hour_that_cannot_be_merged_stays_readable_and_is_merged_later(tmp_path: Path) -> None:
    torn = tmp_path / write_part(tmp_path, rows([END - 1], CAMERA), CAMERA, END - 1)
    torn.write_bytes(b"torn")
    log = AppendLog(tmp_path, CAMERA)
    for piece, end in seconds(BEFORE, AFTER):
        log.append(piece, end)
    assert torn.name in str(log.merge_fault)
    torn.unlink()
    assert everything(tmp_path).equals(live_rows(BEFORE, AFTER))
    log.close()
    assert log.merge_fault is None and len(append_log_files(tmp_path, CAMERA)) == 1
    assert everything(tmp_path).equals(live_rows(BEFORE, AFTER))


@pytest.mark.parametrize("kind", [pl.Float32(), pl.Int64(), pl.String()])
def test_a_column_of_a_later_version_begins_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: pl.DataType
) -> None:
    with AppendLog(tmp_path, CAMERA) as log:
        log.append(rows([END], CAMERA), END + 1)
    monkeypatch.setitem(SCHEMA, "to_come", kind)
    later = rows([END + 1, END + 2], CAMERA).with_columns(to_come=pl.Series([0.25, None]).cast(kind))
    with AppendLog(tmp_path, CAMERA) as log:
        log.append(later.select(list(SCHEMA)), END + 3)
    assert len(append_log_files(tmp_path, CAMERA)) == 2
    seen = everything(tmp_path)["to_come"]
    assert seen.to_list() == [None, *later["to_come"].to_list()]
    upkeep.compact(tmp_path, CAMERA, END)
    assert everything(tmp_path)["to_come"].equals(seen)
