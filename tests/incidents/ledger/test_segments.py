from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_samples import MODELS, T0, facility, incident

from incidents.coverage import NO_RECORD, Interval, State, clip, fill, overlay
from incidents.ledger import Ledger, LedgerError

A, OFF = State.ANALYSED, State.OFFLINE


def span(start: int, end: int, state: State = A, cause: str = "", camera: str = "yard") -> Interval:
    return Interval(camera, T0 + start, T0 + end, state, cause)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ticks = count(T0)
    with Ledger.open(tmp_path / "ledger.db", clock=lambda: next(ticks)) as opened:
        yield opened


@pytest.fixture
def run(ledger: Ledger) -> str:
    return ledger.runs.start(facility(), MODELS, {})


def commit(
    ledger: Ledger,
    run: str,
    seq: int = 0,
    start: int = 0,
    end: int = 10,
    coverage: Sequence[Interval] | None = None,
    stream: str = "s",
    camera: str = "yard",
    source: str = "yard.mp4",
) -> bool:
    told = [span(start, end, camera=camera)] if coverage is None else coverage
    return ledger.segments.commit(
        stream, camera, seq, source, T0 + start, T0 + end, 5, f"observations/{seq}.parquet", told, run
    )


def test_a_segment_comes_back_and_the_second_time_changes_nothing(ledger: Ledger, run: str) -> None:
    told = [span(0, 4), span(4, 10, State.IDLE, "still")]
    assert commit(ledger, run, 1, 10, 20) is True
    assert commit(ledger, run, 0, 0, 10, told) is True
    assert commit(ledger, run, 0, 0, 10, [span(0, 10)]) is False
    first, second = ledger.segments.of_stream("s")
    assert (first.seq, first.start, first.end, first.frames) == (0, T0, T0 + 10, 5)
    assert (first.part, first.source, first.run_id) == ("observations/0.parquet", "yard.mp4", run)
    assert first.coverage == tuple(told)
    assert second.seq == 1
    assert ledger.segments.of_stream("other") == ()
    assert ledger.segments.last_of_stream("s") == second
    assert ledger.segments.last_of_stream("other") is None
    assert ledger.coverage.of("yard", T0, T0 + 20) == (*told, span(10, 20))


def test_segments_are_not_evaluated_until_a_time_that_holds_them_as_a_whole_is(
    ledger: Ledger, run: str
) -> None:
    for seq in range(3):
        commit(ledger, run, seq, 10 * seq, 10 * seq + 10)
    commit(ledger, run, camera="gate", stream="g")

    def left(start: int = 0, end: int = 30, camera: str = "yard") -> list[int]:
        return [item.seq for item in ledger.segments.not_evaluated(camera, T0 + start, T0 + end)]

    assert left() == [0, 1, 2]
    assert (left(10, 20), left(19, 21), left(30, 40)) == ([1], [1, 2], [])
    ledger.segments.mark_evaluated("yard", T0 + 5, T0 + 25)
    assert left() == [0, 2]
    ledger.segments.mark_evaluated("yard", T0, T0 + 30)
    assert (left(), left(camera="gate")) == ([], [0])


def test_another_segment_under_the_same_number_is_refused(ledger: Ledger, run: str) -> None:
    commit(ledger, run)
    with pytest.raises(LedgerError, match="as committed before"):
        commit(ledger, run, 0, 0, 11)


def test_a_segment_and_its_coverage_are_whole_or_absent(ledger: Ledger, run: str) -> None:
    for told, sentence in [
        ([span(0, 6), span(5, 10)], "expected each second once"),
        ([span(0, 10, camera="gate")], "expected coverage of camera yard, got of gate"),
    ]:
        with pytest.raises(LedgerError, match=sentence):
            commit(ledger, run, coverage=told)
    with pytest.raises(LedgerError, match="id of a run"):
        commit(ledger, "nobody")
    with pytest.raises(LedgerError, match="expected an end after"):
        commit(ledger, run, start=5, end=5, coverage=[])
    assert ledger.segments.of_stream("s") == ()
    assert ledger.coverage.of("yard", T0, T0 + 10) == (span(0, 10, OFF, NO_RECORD),)


def test_a_segment_with_its_incidents_in_one_transaction(ledger: Ledger, run: str) -> None:
    with pytest.raises(RuntimeError), ledger.transaction():
        commit(ledger, run)
        ledger.incidents.record(incident(), run)
        raise RuntimeError
    assert ledger.segments.of_stream("s") == () and ledger.incidents.find() == ()
    with ledger.transaction():
        commit(ledger, run)
        with pytest.raises(LedgerError):
            commit(ledger, "nobody", 1, 10, 20)  # a part that fails alone leaves the rest
        ledger.incidents.record(incident(), run)
    assert len(ledger.segments.of_stream("s")) == len(ledger.incidents.find()) == 1


def test_complete_is_said_once_even_for_a_stream_without_a_segment(ledger: Ledger, run: str) -> None:
    assert not ledger.segments.is_complete("s")
    commit(ledger, run)
    assert not ledger.segments.is_complete("s")
    for stream in ("s", "s", "empty"):
        ledger.segments.mark_complete(stream)
    assert ledger.segments.is_complete("s") and ledger.segments.is_complete("empty")


def test_coverage_is_a_partition_and_gaps_are_offline(ledger: Ledger, run: str) -> None:
    commit(ledger, run, 0, 0, 10)
    commit(ledger, run, 1, 10, 15)
    ledger.coverage.record("yard", [span(12, 30, OFF, "cable")])
    assert ledger.coverage.of("yard", T0 - 5, T0 + 40) == (
        span(-5, 0, OFF, NO_RECORD),
        span(0, 15),
        span(15, 30, OFF, "cable"),
        span(30, 40, OFF, NO_RECORD),
    )
    assert ledger.coverage.of("gate", T0, T0 + 1) == (span(0, 1, OFF, NO_RECORD, "gate"),)
    with pytest.raises(LedgerError, match="expected an end after"):
        ledger.coverage.of("yard", T0, T0)


def test_neighbouring_segments_are_one_interval_in_the_file(ledger: Ledger, run: str) -> None:
    for seq in range(20):
        commit(ledger, run, seq, seq * 10, seq * 10 + 10)
    assert len(_stored(ledger)) == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 25), st.sampled_from(State)), max_size=12))
def test_the_file_agrees_with_the_overlay_of_all_that_was_said(told: list[tuple[int, int, State]]) -> None:
    with TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.db") as ledger:
        expected: tuple[Interval, ...] = ()
        for start, length, state in told:
            item = span(start, start + length, state)
            ledger.coverage.record("yard", [item])
            expected = overlay(expected, [item])
        assert _stored(ledger) == expected
        for window in [(0, 90), (7, 31), (30, 31)]:
            low, high = T0 + window[0], T0 + window[1]
            assert ledger.coverage.of("yard", low, high) == fill(
                clip(expected, (low, high)), "yard", (low, high)
            )


def test_the_file_itself_refuses_a_second_twice(ledger: Ledger, run: str) -> None:
    commit(ledger, run, 0, 0, 10)
    commit(ledger, run, 1, 30, 40)
    stranger = sqlite3.connect(ledger.path)
    for start, end in [(5, 6), (-5, 1), (9, 35), (39, 50), (-5, 50), (35, 36)]:
        with pytest.raises(sqlite3.IntegrityError, match="in one interval"):
            stranger.execute("INSERT INTO coverage VALUES ('yard', ?, ?, 'dark', '')", (T0 + start, T0 + end))
    stranger.execute("INSERT INTO coverage VALUES ('yard', ?, ?, 'dark', '')", (T0 + 10, T0 + 30))
    with pytest.raises(sqlite3.IntegrityError, match="never changed in place"):
        stranger.execute("UPDATE coverage SET ended = ended + 1000")
    stranger.close()


def test_footage_analysed_under_another_name_is_noticed(ledger: Ledger, run: str) -> None:
    told = [span(0, 3, State.DARK), span(3, 8), span(8, 10, OFF)]
    commit(ledger, run, coverage=told, source="copy.mp4")
    seen = ledger.segments.analysed_overlap("yard", T0, T0 + 10, except_stream="new")
    assert seen == span(3, 8, A, "copy.mp4")
    assert ledger.segments.analysed_overlap("yard", T0 + 5, T0 + 6) == span(5, 6, A, "copy.mp4")
    assert ledger.segments.analysed_overlap("yard", T0, T0 + 10, except_stream="s") is None
    assert ledger.segments.analysed_overlap("gate", T0, T0 + 10) is None
    for start, end in [(8, 20), (-9, 3), (0, 3), (10, 11)]:
        assert ledger.segments.analysed_overlap("yard", T0 + start, T0 + end) is None


def test_own_analysis_does_not_count_as_an_overlap(ledger: Ledger, run: str) -> None:
    commit(ledger, run, coverage=[span(0, 10, State.UNDECODABLE)], stream="torn")
    commit(ledger, run, coverage=[span(0, 10)], stream="mine")
    assert ledger.segments.analysed_overlap("yard", T0, T0 + 10, except_stream="mine") is None


def test_a_run_keeps_models_settings_and_the_text_of_the_facility_file(ledger: Ledger) -> None:
    place = facility("# night shift\n")
    settings = {"fps": 5.0, "home": Path("home"), "sources": ["rtsp://u:secret@10.0.0.1/live", "a.mp4"]}
    run_id = ledger.runs.start(place, MODELS, settings)
    run = ledger.runs.get(run_id)
    assert (run.facility, run.facility_version, run.models) == ("LC-01", place.version, MODELS)
    assert (run.status, run.finished) == ("running", None)
    assert run.settings["fps"] == 5.0 and run.settings["home"] == "home"
    assert run.settings["sources"][1] == "a.mp4"
    assert ledger.facilities.text(place.version) == place.text
    ledger.runs.finish(run_id, "complete")
    ledger.runs.finish(run_id, "complete")
    assert ledger.runs.get(run_id).status == "complete"
    with pytest.raises(LedgerError, match="got one that is complete"):
        ledger.runs.finish(run_id, "failed")
    with pytest.raises(LedgerError, match="one of complete, failed, interrupted, got 'fine'"):
        ledger.runs.finish(run_id, "fine")
    with pytest.raises(LedgerError, match="JSON can hold"):
        ledger.runs.start(place, MODELS, {"x": float("nan")})


def test_no_password_reaches_the_file(ledger: Ledger) -> None:
    url = "rtsp://admin:hunter2@10.0.0.1/live"
    run = ledger.runs.start(facility(), MODELS, {"deep": {"urls": [url]}, "words": f"tried {url} twice"})
    commit(ledger, run, source=url)
    ledger.close()
    for file in ledger.path.parent.iterdir():
        assert b"hunter2" not in file.read_bytes()


def test_inventory_follows_the_version_used_last(ledger: Ledger, run: str) -> None:
    assert [(c.facility, c.id, c.name, c.place) for c in ledger.facilities.cameras()] == [
        ("LC-01", "yard", "Sân", "yard"),
        ("LC-01", "gate", "", "gate"),
    ]
    longer = facility("  - {id: lobby, places: [lobby]}\n")
    ledger.runs.start(longer, MODELS, {})
    assert [c.id for c in ledger.facilities.cameras()] == ["yard", "gate", "lobby"]
    ledger.runs.start(facility(), MODELS, {})
    assert [c.id for c in ledger.facilities.cameras()] == ["yard", "gate"]
    with pytest.raises(LedgerError, match="version of a facility file"):
        ledger.facilities.text("0" * 64)


def _stored(ledger: Ledger) -> tuple[Interval, ...]:
    """Intervals as they lie in the file, checked to be apart."""
    stranger = sqlite3.connect(ledger.path)
    rows = stranger.execute("SELECT camera, started, ended, state, cause FROM coverage ORDER BY 2").fetchall()
    stranger.close()
    found = tuple(Interval(*row) for row in rows)
    assert all(left.end <= right.start for left, right in pairwise(found))
    return found
