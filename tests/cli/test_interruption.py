"""Ctrl-C and SIGTERM: every camera stops soon, and the same command then brings the same result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import polars as pl
import pytest

from incidents.ledger import Ledger
from tests.observing import rows
from tests.running import LOBBY, ROOT, YARD, facts, lazaretto_here
from vision import observations
from vision.frames import from_iso
from vision.observations import ALL_TIME, HOUR
from vision.observations.upkeep import remove_hour

PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from cli.main import main; main()"
)
"""The command line; SIGINT is ignored in what a shell runs beside, such as these tests."""
STOPPING = "lazaretto: stopping, and writing what was analysed; a second Ctrl-C ends it without that\n"
INTERRUPTED = "lazaretto: interrupted; the same command continues it\n"
ENDED = "lazaretto: ended; the same command continues after the last whole minute that was written\n"
STOPS_WITHIN_S = 10.0
"""Two seconds on an idle machine; the whole analysis takes several times as long."""
CAMERAS = ("lobby", "yard", "gate")


def cut(source: Path, path: Path, start_s: float, end_s: float) -> Path:
    """Copy a part of a video, from the key frame before `start_s` on, without encoding it again."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        video = old.streams.video[0]
        copied = new.add_stream_from_template(video)
        old.seek(round(start_s * 1e6))
        first = None
        for packet in old.demux(video):
            if packet.dts is None or packet.pts is None:
                continue
            first = packet.dts if first is None else first
            if float(packet.dts * packet.time_base) > end_s:
                break
            packet.dts, packet.pts, packet.stream = packet.dts - first, packet.pts - first, copied
            new.mux(packet)
    return path


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """An analysis of three cameras, whose footage begins before a whole minute and ends after it."""
    folder = tmp_path_factory.mktemp("footage")
    facility = folder / "facility.yaml"
    zone = "{id: ground, type: staff_only, polygon: [[0, 0.2], [1, 0.2], [1, 1], [0, 1]]}"
    facility.write_text(
        "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\ncameras:\n"
        + "".join(
            f"  - {{id: {c}, places: [gate], default_role: resident, zones: [{zone}]}}\n" for c in CAMERAS
        )
    )
    cut(YARD, folder / "yard_20261124T080050Z.mp4", 0, 25)
    cut(YARD, folder / "gate_20261124T080050Z.mp4", 40, 65)
    (folder / "lobby_20261124T080050Z.mp4").write_bytes(LOBBY.read_bytes())
    sources = [f"{camera}={folder}/{camera}_20261124T080050Z.mp4" for camera in CAMERAS]
    return ["analyze", *sources, "--facility", str(facility), "--tracker", "lazaretto"]


@pytest.fixture(scope="module")
def whole(words: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an analysis that was not interrupted."""
    home = tmp_path_factory.mktemp("whole") / "home"
    assert finish(words, home) == 0
    return home


def begin(words: Sequence[str], home: Path) -> subprocess.Popen[str]:
    call = [sys.executable, "-c", PROGRAM, *words, "--home", str(home)]
    return subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(words: Sequence[str], home: Path) -> int:
    run = begin(words, home)
    run.communicate(timeout=300)
    return run.returncode


def wait_for(run: subprocess.Popen[str], home: Path, checkpoints: int) -> None:
    """Wait until so many cameras have written a segment."""
    end = time.monotonic() + 240
    while len(list(home.glob("resume/*/*.checkpoint"))) < checkpoints:
        assert time.monotonic() < end and run.poll() is None, run.communicate()
        time.sleep(0.02)


def end(run: subprocess.Popen[str], signals: Sequence[signal.Signals], pause_s: float = 0.0) -> str:
    """Send signals; what the program said on standard error from then on, when it has ended."""
    begun = time.monotonic()
    for number in signals:
        if run.poll() is None:
            run.send_signal(number)
            time.sleep(pause_s)
    _, err = run.communicate(timeout=120)
    # In the last moments Python has taken its handlers away: a further signal ends it as the system does.
    allowed = (130,) if len(signals) == 1 else (130, -signals[0])
    assert run.returncode in allowed, err
    assert time.monotonic() - begun < STOPS_WITHIN_S
    return err[err.index(STOPPING) :]


def result(home: Path) -> tuple[list[dict[str, Any]], dict[str, pl.DataFrame], dict[str, object]]:
    """All that an analysis leaves: incidents, observations and coverage."""
    with Ledger.open(home / "ledger.db") as ledger:
        coverage: dict[str, object] = {c: ledger.coverage.recorded(c) for c in CAMERAS}
    return facts(home), {c: observations.read(home, c, *ALL_TIME) for c in CAMERAS}, coverage


def assert_same(home: Path, whole: Path) -> None:
    (incidents, seen, coverage), expected = result(home), result(whole)
    assert len(incidents) > 3 and incidents == expected[0]
    assert coverage == expected[2]
    for camera, table in seen.items():
        assert len(table) and table.equals(expected[1][camera]), camera


@pytest.mark.parametrize(
    ("cameras", "number"), [(1, signal.SIGTERM), (2, signal.SIGINT), (2, signal.SIGTERM), (3, signal.SIGINT)]
)
def test_an_analysis_stops_and_the_same_command_brings_the_same_result(
    words: list[str], whole: Path, tmp_path: Path, cameras: int, number: signal.Signals
) -> None:
    home = tmp_path / "home"
    some = [words[0], *words[4 - cameras : 4], *words[4:]]  # the last ones
    run = begin(some, home)
    wait_for(run, home, 1)
    assert end(run, [number]) == STOPPING + INTERRUPTED
    with Ledger.open(home / "ledger.db") as ledger:
        kept = {c: ledger.coverage.recorded(c)[-1].end for c in CAMERAS[3 - cameras :]}
    assert finish(words, home) == 0
    assert_same(home, whole)
    with Ledger.open(whole / "ledger.db") as ledger:
        assert any(ledger.coverage.recorded(c)[-1].end > t for c, t in kept.items()), "it stopped early"


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_a_second_interruption_is_abrupt_and_damages_nothing(
    words: list[str], whole: Path, tmp_path: Path, pause_s: float
) -> None:
    home = tmp_path / "home"
    run = begin(words, home)
    wait_for(run, home, 2)
    said = end(run, [signal.SIGINT] * 3, pause_s)
    # Where the signals come as one, or the cameras stop before the second one, it ends as after one signal.
    assert said in (STOPPING + ENDED, STOPPING + INTERRUPTED)
    assert finish(words, home) == 0
    assert_same(home, whole)


def test_a_second_interruption_says_from_where_the_same_command_continues() -> None:
    script = (
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from cli.interruption import stopping\n"
        "from vision.clock import Stop\n"
        "with stopping(Stop()):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    call = [sys.executable, "-c", script]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, STOPPING + ENDED)


def test_purging_after_an_interruption_keeps_what_the_same_command_needs(
    words: list[str], whole: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    run = begin([words[0], words[2], *words[4:]], home)
    wait_for(run, home, 1)
    end(run, [signal.SIGINT])
    day_before = from_iso("2026-11-23T08:00:00Z")  # The rules read the day before what they evaluate.
    for t in (day_before - HOUR, day_before):
        observations.write_part(home, rows([t], "yard"), "yard", t)
    purge = ("observations", "purge", "--older-than", "1", "--home", home)
    for arguments in ((*purge, "--dry-run"), purge):
        ran = lazaretto_here(*arguments)
        assert ran.code == 0, ran.err
        assert "yard 2026-11-23 (UTC): 1 hour, " in ran.out and "\n1 hour from before" in ran.out
        assert (
            "yard: 2 clock hours from 2026-11-23T08Z on left as they are: an analysis that has not ended "
            "needs them to record its incidents; the same analyze command continues it\n"
        ) in ran.out
    assert observations.stored_hours(home, "yard") == (day_before, day_before + 24 * HOUR)
    remove_hour(home, "yard", day_before)
    assert finish(words, home) == 0
    assert_same(home, whole)
    assert "3 hours from before" in lazaretto_here(*purge).out and not list(home.rglob("*.parquet"))


def test_an_interruption_while_evidence_is_written_loses_none(
    words: list[str], whole: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    run = begin(words, home)
    deadline = time.monotonic() + 240
    while not list(home.glob("evidence/*/*/*")):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.01)
    assert end(run, [signal.SIGINT]) == STOPPING + INTERRUPTED
    assert finish(words, home) == 0
    assert_same(home, whole)


def test_an_interruption_before_any_frame_ends_at_once(words: list[str], tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        home = tmp_path / number.name
        run = begin(words, home)
        stdout = run.stdout
        assert stdout is not None and stdout.readline().startswith("camera ")  # The networks are loaded next.
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
        assert run.returncode == 130 and err.endswith(INTERRUPTED) and STOPPING not in err


def test_what_the_user_may_wait_for_can_be_interrupted_after_every_import() -> None:
    # polars has a handler of its own, after which the system would go on with a wait.
    script = (
        "import sys, threading, os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import polars\n"
        "from cli import main as program\n"
        "import cli.commands.coverage as coverage\n"
        "def waits():\n"
        "    threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "    threading.Event().wait(60)\n"
        "coverage.coverage = waits\n"
        "sys.argv = ['lazaretto', 'coverage']\n"
        "program.main()\n"
    )
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(os.environ),
    )
    assert (done.returncode, done.stderr) == (130, "lazaretto: interrupted\n")
    assert time.monotonic() - begun < 40
