"""A stream whose analysis was killed is continued where the ledger says, with the same result."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from incidents.ledger import Ledger
from pipelines.analysis import checkpoint
from pipelines.analysis.checkpoint import Checkpoint
from tests.pipelines.simulated import CAMERA
from tests.pipelines.simulated_run import FPS, KEY, START, TWO_FILES, analyse, views
from vision import observations
from vision.frames import SECOND, SEGMENT
from vision.observations import ALL_TIME

ROOT = Path(__file__).parents[3]
LAST = 3
"""The last of the four segments."""


def observed(home: Path) -> pl.DataFrame:
    return observations.read(home, CAMERA.id, *ALL_TIME)


def segments(home: Path) -> list[tuple[object, ...]]:
    with Ledger.open(home / "ledger.db") as ledger:
        return [(s.seq, s.start, s.end, s.frames, s.part, s.coverage) for s in ledger.segments.of_stream(KEY)]


def checkpoints(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "resume" / KEY).iterdir())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an analysis that was not interrupted."""
    home = tmp_path_factory.mktemp("whole") / "home"
    assert analyse(home) == len(views()) and len(segments(home)) == LAST + 1
    assert checkpoints(home) == [f"00000{LAST}.checkpoint"]
    return home


def test_an_analysis_killed_at_every_step_of_a_commit_gives_the_same_result(
    whole: Path, tmp_path: Path
) -> None:
    deaths = [
        ("checkpoint", "1", 1, ["000000.checkpoint", "000001.checkpoint"]),
        ("ledger", "2", 3, ["000001.checkpoint", "000002.checkpoint"]),
    ]
    for moment, seq, entered, left in deaths:
        call = [sys.executable, "-m", "tests.pipelines.simulated_run", str(tmp_path), moment, seq]
        died = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert len(segments(tmp_path)) == entered and checkpoints(tmp_path) == left
    assert analyse(tmp_path) == segments(whole)[LAST][3], "the last segment alone was left"
    assert observed(tmp_path).equals(observed(whole)) and len(observed(whole)) > 200
    assert segments(tmp_path) == segments(whole)
    assert checkpoints(tmp_path) == checkpoints(whole)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose analysis ended early, in its third minute."""
    home, write = tmp_path_factory.mktemp("killed") / "home", checkpoint.write

    def fail(home: Path, item: Checkpoint) -> None:
        if item.seq == 2:
            raise KeyboardInterrupt
        write(home, item)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "write", fail)
        analyse(home)
    assert checkpoints(home) == ["000001.checkpoint"]
    return home


def of_an_earlier_version(path: Path) -> None:
    path.unlink()
    pl.DataFrame({"t": [1]}).write_parquet(path.with_suffix(".parquet"))
    pl.DataFrame({"t": [0]}).write_parquet(path.with_name("000000.parquet"))


def of_another_tracker(path: Path) -> None:
    checkpoint.write(path.parents[2], Checkpoint(KEY, 1, None, {"tracker.stream": np.zeros(2, np.uint8)}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), f"expected a checkpoint of version {checkpoint.VERSION}, found none"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "expected a whole checkpoint, got one that"),
        (of_an_earlier_version, "found one that an earlier version of this program wrote"),
        (of_another_tracker, "expected a state of this version, got another"),
    ],
    ids=["missing", "torn", "earlier version", "other state"],
)
def test_without_a_usable_checkpoint_the_analysis_goes_on_with_new_tracks_and_says_so(
    whole: Path, killed: Path, tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(killed, home)
    recorded = segments(home)
    damage(home / "resume" / KEY / "000001.checkpoint")
    warnings: list[str] = []
    left = sum(view.t + START >= recorded[-1][2] for view in views())  # type: ignore[operator]
    assert analyse(home, warnings.append) == left, "frames of recorded minutes are not analysed again"

    [warning] = warnings
    assert says in warning and "people in view at that moment count as new" in warning
    assert "\n" not in warning and "camera yard continues at 2025-02-19T21:22:00" in warning
    assert segments(home)[: len(recorded)] == recorded
    assert [item[:4] for item in segments(home)] == [item[:4] for item in segments(whole)]
    at = pl.lit(recorded[-1][2]).cast(pl.Datetime("us", "UTC"))
    seen, expected = observed(home), observed(whole)
    assert seen.filter(pl.col("t") < at).equals(expected.filter(pl.col("t") < at))
    before, after = (set(seen.filter(part)["track"]) for part in (pl.col("t") < at, pl.col("t") >= at))
    assert before and after and not before & after, "no two people have one id"
    assert checkpoints(home) == checkpoints(whole)
    assert analyse(home, warnings.append) == 0 and len(warnings) == 1


@pytest.mark.parametrize(("key", "seq"), [(KEY, 1), ("later", 0), ("later", 1)])
def test_people_keep_their_track_into_the_next_file_also_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, seq: int
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert analyse(one, files=TWO_FILES) == len(views())
    expected = observed(one)
    at = pl.lit(START + TWO_FILES[1][1] * SECOND).cast(pl.Datetime("us", "UTC"))
    before, after = (set(expected.filter(part)["track"]) for part in (pl.col("t") < at, pl.col("t") >= at))
    assert before & after

    def fail(home: Path, item: Checkpoint) -> None:
        if (item.stream, item.seq) == (key, seq):
            raise KeyboardInterrupt
        write(home, item)

    write = checkpoint.write
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "write", fail)
        analyse(two, files=TWO_FILES)
    assert 0 < analyse(two, files=TWO_FILES) < len(views())
    assert observed(two).equals(expected)


def test_the_stream_has_people_in_view_where_segments_meet(whole: Path) -> None:
    borders = [end for _, _, end, *_ in segments(whole)[:-1]]
    assert all(isinstance(end, int) and end % SEGMENT < SECOND / FPS for end in borders)
    times = observed(whole)["t"].dt.timestamp("us")
    for end in borders:
        assert isinstance(end, int) and ((times - end).abs() <= 2 * SECOND).sum() >= 4
