"""Tears of append logs: files cut at any byte, and changed bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import polars as pl
import pytest

from tests.observing import rows
from tests.vision.observations.live_rows import CAMERA, END, seconds
from vision.frames import SECOND
from vision.observations import (
    ALL_TIME,
    AppendLog,
    ObservationError,
    TornError,
    known_until,
    read,
    upkeep,
)
from vision.observations.append_file import AppendFile, scan
from vision.observations.log import append_log_files

COUNT = 4
ROWS = pl.concat([piece[:2] for piece, _ in seconds(COUNT, 0)])
"""Two rows for each second before `END`."""


@dataclass(frozen=True)
class Written:
    """An append log with a record for each second of `ROWS`.

    Attributes:
        path: the file.
        data: its bytes.
        ends: the byte at which its head and each record ends.
    """

    home: Path
    path: Path
    data: bytes
    ends: list[int]

    def read(self) -> pl.DataFrame:
        return read(self.home, CAMERA, *ALL_TIME)


@pytest.fixture
def log(tmp_path: Path) -> Written:
    ends = []
    with AppendLog(tmp_path, CAMERA) as log:
        for count in range(COUNT):
            log.append(ROWS[2 * count : 2 * count + 2], second(count + 1))
            [path] = append_log_files(tmp_path, CAMERA)
            ends.append(path.stat().st_size)
    data = path.read_bytes()
    assert ends[-1] == len(data)
    first, length = 8, 8 + int.from_bytes(data[8:12], "little")
    return Written(tmp_path, path, data, [first + length, *ends])


def second(count: int) -> int:
    """The end of that many seconds of `ROWS`; the last ends just before the hour does."""
    return min(END - (COUNT - count) * SECOND, END - 1)


def attempted(path: Path) -> AppendFile | None:
    try:
        return scan(path)
    except TornError:
        return None


def test_a_file_cut_at_any_byte_loses_whole_records_from_its_end(log: Written) -> None:
    for size in range(len(log.data)):
        log.path.write_bytes(log.data[:size])
        whole = [end for end in log.ends if end <= size]
        found = attempted(log.path)
        if not whole:
            assert found is None  # the head itself is torn
            continue
        assert found is not None and found.damage is None
        assert (found.intact, len(found.payloads)) == (whole[-1], len(whole) - 1)
        assert found.until == second(len(whole) - 1)


@pytest.mark.parametrize("cut", ["head", "no record", "first record", "middle", "last byte"])
def test_a_writer_keeps_what_is_before_the_tear_and_sets_the_rest_aside(log: Written, cut: str) -> None:
    ends = log.ends
    sizes = {"head": 20, "no record": ends[0] + 1, "first record": ends[0] + 30, "middle": ends[2] + 5}
    size = sizes.get(cut, len(log.data) - 1)
    log.path.write_bytes(log.data[:size])
    records = len([end for end in ends if end <= size]) - 1
    kept = ROWS[: 2 * max(0, records)]
    if cut != "head":
        assert log.read().equals(kept)
    with AppendLog(log.home, CAMERA) as writer:
        [loss] = writer.losses
        assert loss.start == second(max(0, records))
        assert writer.until == (None if cut == "head" else loss.start)
        assert loss.bytes == size - (0 if cut == "head" else ends[records])
        assert loss.aside.read_bytes() == log.data[size - loss.bytes : size]
        assert log.read().equals(kept)
        writer.append(ROWS[len(kept) :], END - 1)
    assert log.read().equals(ROWS)
    assert not list(upkeep.torn_files(log.home, CAMERA))
    with AppendLog(log.home, CAMERA) as writer:
        assert not writer.losses


def test_any_changed_bit_is_found_and_costs_nothing_before_it(log: Written) -> None:
    random = Random(1)
    for at, byte in enumerate(log.data):
        flipped = bytes([byte ^ (1 << random.randrange(8))])
        log.path.write_bytes(log.data[:at] + flipped + log.data[at + 1 :])
        found = attempted(log.path)
        if at < log.ends[0]:
            assert found is None
        else:
            assert found is not None and found.damage is not None
            assert found.intact == max(end for end in log.ends if end <= at)
            with pytest.raises(TornError, match=r"after 2026-.*observations recover"):
                found.rows()


def test_damage_stops_readers_until_it_is_set_aside(log: Written) -> None:
    middle = log.ends[2]
    log.path.write_bytes(log.data[: middle + 30] + bytes(9) + log.data[middle + 39 :])
    with pytest.raises(TornError, match=log.path.name):
        log.read()
    with pytest.raises(TornError, match=log.path.name):
        upkeep.compact(log.home, CAMERA, END - 1)
    [(_, error)] = upkeep.torn_files(log.home, CAMERA)
    assert error.path == log.path
    tail = upkeep.recover_append_log(log.path)
    assert tail is not None and tail.start == known_until(log.home, CAMERA) == second(2)
    assert tail.aside.read_bytes()[30:39] == bytes(9) and tail.bytes == len(log.data) - middle
    assert log.read().equals(ROWS[:4])
    assert upkeep.recover_append_log(log.path) is None


def test_damage_of_a_file_whose_rows_the_hour_file_holds_costs_nothing(log: Written) -> None:
    upkeep.compact(log.home, CAMERA, END - 1)
    log.path.write_bytes(log.data[:-9] + bytes(9))  # a kill came between writing the hour and removing this
    with AppendLog(log.home, CAMERA) as writer:
        assert [loss.start for loss in writer.losses] == [None] and writer.until == END - 1
    assert log.read().equals(ROWS)


def test_a_torn_end_is_kept_when_the_hour_is_merged(log: Written) -> None:
    log.path.write_bytes(log.data + b"half a record")
    assert log.read().equals(ROWS)
    assert upkeep.compact(log.home, CAMERA, END - 1) == 1
    [aside] = log.path.parent.glob("*.torn")
    assert aside.read_bytes() == b"half a record"
    assert log.read().equals(ROWS)


def test_a_file_of_a_later_version_is_not_reported_as_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vision.observations.append_file.FORMAT_VERSION", 2)
    log = AppendLog(tmp_path, CAMERA)
    log.append(rows([END], CAMERA), END + 1)
    log.close()
    monkeypatch.undo()
    with pytest.raises(ObservationError, match="expected the append log in format 1, got format 2") as caught:
        read(tmp_path, CAMERA, *ALL_TIME)
    assert not isinstance(caught.value, TornError)


def test_a_second_of_three_people_takes_less_than_50_bytes_per_row_and_100_more(tmp_path: Path) -> None:
    size = 0
    with AppendLog(tmp_path, CAMERA) as log:
        for piece, end in seconds(3, -1):
            log.append(piece, end)
            [path] = append_log_files(tmp_path, CAMERA)
            assert not size or path.stat().st_size - size < len(piece) * 50 + 100
            size = path.stat().st_size
