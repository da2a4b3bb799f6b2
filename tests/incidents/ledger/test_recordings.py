"""The index of recordings: what is entered is found again by time, and a moved file at its new place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_samples import T0

from incidents.ledger import Ledger, LedgerError, Recording
from vision.frames import SECOND
from vision.sources.fingerprint import FileMark

MARK = FileMark(1000, T0, "f" * 64)
ONE = Recording("s1", "yard", Path("/nvr/yard/1.mp4"), T0, T0 + 60 * SECOND, None, MARK)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


def test_a_recording_is_found_by_camera_and_time(ledger: Ledger) -> None:
    ledger.recordings.enter(ONE)
    ledger.recordings.enter(replace(ONE, stream_key="s2", camera="gate", fps=12.5))

    assert ledger.recordings.between("yard", ONE.start, ONE.end) == (ONE,)
    assert ledger.recordings.between("yard", ONE.end - 1, ONE.end + 1) == (ONE,)
    assert ledger.recordings.between("yard", ONE.start - 1, ONE.start) == ()
    assert ledger.recordings.between("yard", ONE.end, ONE.end + SECOND) == ()
    assert [item.fps for item in ledger.recordings.between("gate", ONE.start, ONE.end)] == [12.5]
    assert ledger.recordings.of_stream("s1") == (ONE,)


def test_the_end_moves_on_and_never_back(ledger: Ledger) -> None:
    ledger.recordings.enter(ONE)
    longer = replace(ONE, end=ONE.end + 60 * SECOND)
    ledger.recordings.enter(longer)
    ledger.recordings.enter(ONE)

    assert ledger.recordings.of_stream("s1") == (longer,)


def test_a_file_that_was_moved_or_copied_is_found_at_its_new_place(ledger: Ledger) -> None:
    ledger.recordings.enter(ONE)
    moved = replace(ONE, path=Path("/archive/1.mp4"), mark=replace(MARK, modified=T0 + 1))
    ledger.recordings.enter(moved)

    assert ledger.recordings.between("yard", ONE.start, ONE.end) == (moved,)


def test_entering_what_is_known_waits_for_no_writer(ledger: Ledger) -> None:
    ledger.recordings.enter(ONE)
    with Ledger.open(ledger.path) as other, other.transaction():
        ledger.recordings.enter(ONE)


def test_what_cannot_be_a_recording_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="expected a recording that ends after"):
        ledger.recordings.enter(replace(ONE, end=ONE.start))
    with pytest.raises(LedgerError, match=r"expected the absolute path of a recording, got yard/1\.mp4"):
        ledger.recordings.enter(replace(ONE, path=Path("yard/1.mp4")))


@settings(max_examples=30, deadline=None)
@given(
    spans=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 90)), max_size=25),
    window=st.tuples(st.integers(-20, 250), st.integers(1, 60)),
)
def test_exactly_those_that_overlap_are_found(
    spans: list[tuple[int, int]], window: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    start, end = window[0], window[0] + window[1]
    with Ledger.open(tmp_path_factory.mktemp("any") / "ledger.db") as ledger:
        entered = [
            replace(ONE, stream_key=f"{n:03}", start=first, end=first + length)
            for n, (first, length) in enumerate(spans)
        ]
        for recording in entered:
            ledger.recordings.enter(recording)

        found = ledger.recordings.between("yard", start, end)

    wanted = [item for item in entered if item.start < end and item.end > start]
    assert list(found) == sorted(wanted, key=lambda item: (item.start, item.stream_key))
