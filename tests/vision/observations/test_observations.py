from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.observing import START, rows
from vision.frames import SECOND, from_iso, to_iso
from vision.observations import (
    SCHEMA,
    ObservationError,
    cameras,
    empty,
    part_path,
    read,
    read_hours,
    span,
    stored_hours,
    write_part,
)


def test_rows_are_read_back_in_order_of_time(tmp_path: Path) -> None:
    write_part(tmp_path, rows([START + SECOND, START + 2 * SECOND]), "yard", START + SECOND)
    write_part(tmp_path, rows([START]), "yard", START)
    seen = read(tmp_path, "yard", START, START + 3 * SECOND)
    assert seen["t"].dt.timestamp("us").to_list() == [START, START + SECOND, START + 2 * SECOND]
    assert seen.schema == pl.Schema(SCHEMA)


def test_reading_includes_the_start_and_excludes_the_end(tmp_path: Path) -> None:
    write_part(tmp_path, rows([START, START + SECOND]), "yard", START)
    assert len(read(tmp_path, "yard", START, START + SECOND)) == 1
    assert len(read(tmp_path, "yard", START, START + SECOND + 1)) == 2
    assert read(tmp_path, "yard", START + 2 * SECOND, START + 9 * SECOND).is_empty()


def test_rows_of_another_camera_are_not_read(tmp_path: Path) -> None:
    write_part(tmp_path, rows([START], "gate"), "gate", START)
    assert read(tmp_path, "yard", START, START + SECOND).is_empty()


def test_a_part_of_the_next_hour_has_its_own_folder_and_is_read(tmp_path: Path) -> None:
    later = START + SECOND
    assert part_path("yard", START).parent != part_path("yard", later).parent
    for t in (START, later):
        write_part(tmp_path, rows([t]), "yard", t)
    assert len(read(tmp_path, "yard", START, later + 1)) == 2


def test_writing_a_part_again_replaces_it(tmp_path: Path) -> None:
    for _ in range(2):
        write_part(tmp_path, rows([START]), "yard", START)
    assert len(read(tmp_path, "yard", START, START + SECOND)) == 1


def test_a_half_written_file_is_not_read(tmp_path: Path) -> None:
    part = tmp_path / write_part(tmp_path, rows([START]), "yard", START)
    (part.parent / f".{part.name}.tmp").write_bytes(b"PAR1 torn")
    assert len(read(tmp_path, "yard", START, START + SECOND)) == 1


def test_the_error_names_the_torn_part(tmp_path: Path) -> None:
    part = tmp_path / write_part(tmp_path, rows([START]), "yard", START)
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ObservationError, match=part.name):
        read(tmp_path, "yard", START, START + SECOND)


def test_rows_with_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ObservationError, match="expected the columns"):
        write_part(tmp_path, rows([START]).drop("track"), "yard", START)
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_part_that_cannot_be_written_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "observations").write_text("a file where the folder should be")
    with pytest.raises(ObservationError, match="cannot write"):
        write_part(tmp_path, empty(), "yard", START)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4_000_000_000 * SECOND))
def test_times_survive_formatting_and_parsing(t: int) -> None:
    assert from_iso(to_iso(t)) == t


@settings(deadline=None)
@given(st.integers(0, 4_000_000_000 * SECOND), st.integers(0, 4_000_000_000 * SECOND))
def test_formatted_times_sort_as_times_do(first: int, second: int) -> None:
    assert (first < second) == (to_iso(first) < to_iso(second))


@pytest.mark.parametrize("text", ["yesterday", "2026-11-24T08:00:00", "", "2026-13-01T00:00:00Z"])
def test_texts_that_are_no_unambiguous_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        from_iso(text)


def test_hours_are_read_one_by_one_and_together_hold_all_rows(tmp_path: Path) -> None:
    times = [START, START + SECOND, START + 2 * 3600 * SECOND]
    for t in times:
        write_part(tmp_path, rows([t]), "yard", t)
    pieces = list(read_hours(tmp_path, "yard", START, times[-1] + 1))
    assert [to_iso(hour)[11:13] for hour, _ in pieces] == ["08", "09", "10"]
    assert pl.concat([part for _, part in pieces]).equals(read(tmp_path, "yard", START, times[-1] + 1))
    assert [hour for hour, _ in read_hours(tmp_path, "yard", START + 1, times[-1])] == [pieces[1][0]]


def test_cameras_hours_and_time_range_of_a_log(tmp_path: Path) -> None:
    assert cameras(tmp_path) == () and span(tmp_path, "yard") is None
    for camera, t in (("yard", START), ("yard", START + 7200 * SECOND), ("gate", START)):
        write_part(tmp_path, rows([t, t + 5], camera), camera, t)
    (tmp_path / "observations" / "unused" / "2026-11-24T08").mkdir(parents=True)
    (tmp_path / "observations" / "yard" / "notes").mkdir()
    assert cameras(tmp_path) == ("gate", "yard")
    assert [to_iso(hour) for hour in stored_hours(tmp_path, "yard")] == [
        "2026-11-24T08:00:00.000000Z",
        "2026-11-24T10:00:00.000000Z",
    ]
    assert span(tmp_path, "yard") == (START, START + 7200 * SECOND + 6)
