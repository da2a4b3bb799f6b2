"""People who hide each other: which rows count, and when it is said."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.watched.crowd import crowd_advice, overlapped
from vision.frames import SECOND
from vision.observations import SCHEMA

Box = tuple[int, int, int, int]
boxes = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 40))


def rows(seen: list[tuple[int, Box]]) -> pl.DataFrame:
    """One row for each instant and box (left, top, width, height), of a picture of 768 x 576 px."""
    return pl.DataFrame(
        {
            "camera": ["yard"] * len(seen),
            "t": pl.Series([t * SECOND for t, _ in seen], dtype=pl.Int64).cast(SCHEMA["t"]),
            "width": [768] * len(seen),
            "height": [576] * len(seen),
            "x1": [float(x) for _, (x, _, _, _) in seen],
            "y1": [float(y) for _, (_, y, _, _) in seen],
            "x2": [float(x + w) for _, (x, _, w, _) in seen],
            "y2": [float(y + h) for _, (_, y, _, h) in seen],
        },
        schema_overrides={"x1": pl.Float32, "y1": pl.Float32, "x2": pl.Float32, "y2": pl.Float32},
    )


def common(a: Box, b: Box) -> int:
    """Area in both boxes, px."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0, width) * max(0, height)


@given(st.lists(st.tuples(st.integers(0, 3), boxes), max_size=14))
def test_each_box_is_compared_with_all_others_of_its_instant(seen: list[tuple[int, Box]]) -> None:
    expected = [
        any(
            i != j and t == other and common(box, beside) * 10 >= box[2] * box[3]
            for j, (other, beside) in enumerate(seen)
        )
        for i, (t, box) in enumerate(seen)
    ]
    assert overlapped(rows(seen)).tolist() == expected


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ((9, 0, 10, 10), [True, True]),  # a tenth
        ((10, 0, 10, 10), [False, False]),
        ((0, 0, 100, 100), [True, False]),  # a small person before a tall one: a hundredth of the tall one
    ],
)
def test_a_person_is_overlapped_from_a_tenth_on(beside: Box, expected: list[bool]) -> None:
    assert overlapped(rows([(0, (0, 0, 10, 10)), (0, beside)])).tolist() == expected
    assert not overlapped(rows([(0, (0, 0, 10, 10)), (1, beside)])).any()


@pytest.mark.parametrize(("crowded", "said"), [(0, False), (1, False), (2, True), (20, True)])
def test_a_crowd_is_said_from_a_share_on(crowded: int, said: bool) -> None:
    """Of 40 rows, pairs in `crowded` instants overlap: 2 of 20 instants are 4 of 40 rows, a tenth."""
    seen = [(n, box) for n in range(20) for box in ((0, 0, 10, 30), (5 if n < crowded else 50, 0, 10, 30))]
    text = crowd_advice(rows(seen), 416)
    assert bool(text) == said
    if said:
        assert f"{5 * crowded} % of the person-seconds" in text
        assert "use --imgsz 768 into another home, or a view from higher up" in text
        assert "--imgsz" not in crowd_advice(rows(seen), 768)


def test_an_empty_hour_has_no_crowd() -> None:
    assert overlapped(rows([])).tolist() == []
    assert crowd_advice(rows([]), 416) == ""
