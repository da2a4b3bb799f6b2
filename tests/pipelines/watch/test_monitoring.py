"""What the health endpoint says, asked over HTTP."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

from pipelines.home import Home
from pipelines.watch.monitoring import MonitoringServer
from pipelines.watch.status import status_of
from pipelines.watch.writing import LedgerWriter
from tests.said import Said
from vision.frames import SECOND
from vision.live.clocks.steady import SteadyClock


def test_a_clock_that_was_set_back_is_told_until_the_times_of_the_watch_are_drawn_to_it(
    tmp_path: Path,
) -> None:
    moments = {"wall": 10**15, "monotonic": 10**12}
    clock = SteadyClock(lambda: moments["wall"], lambda: moments["monotonic"])
    home = Home(tmp_path)
    writer = LedgerWriter(home, home.ledger, "run", {}, clock, Said())

    def pass_time(seconds: int, wall_steps: int = 0) -> None:
        moments["wall"] += (seconds + wall_steps) * SECOND
        moments["monotonic"] += seconds * SECOND

    def told(port: int) -> tuple[float, float]:
        """What /status and /metrics say, seconds."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as answer:
            status = json.load(answer)["clock_difference_s"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        name = "lazaretto_clock_difference_seconds "
        return status, float(next(line for line in lines if line.startswith(name)).removeprefix(name))

    def status() -> object:
        return status_of("L-1", "0" * 64, {}, writer, clock, time.monotonic())

    with MonitoringServer("127.0.0.1:0", status) as server:  # type: ignore[arg-type]
        assert told(server.port) == (0, 0)
        pass_time(1, -60)
        assert told(server.port) == (-59.95, -59.95), "a twentieth of the second was made good"
        pass_time(1200)
        assert told(server.port) == (0, 0)
