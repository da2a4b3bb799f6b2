"""The watch as a user starts it: a process of its own, which is asked over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from evaluation.live.processes import TreeCost, tree_of
from zones.errors import LazarettoError

BEGIN_S = 300.0
"""Seconds for a watch to load its networks and connect to its cameras."""
END_S = 90.0
"""Seconds for a watch to write what it read."""
_ANSWER_S = 30.0
_LOOK_S = 0.25


class WatchProcess:
    """`lazaretto watch` in another process; use it as a context manager.

    Attributes:
        log: the file of what it says.
    """

    def __init__(
        self,
        facility: Path,
        home: Path,
        log: Path,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            facility: the facility file.
            home: the home.
            log: file to which it appends what it says.
            options: further words of the command.
            environment: further variables.
        """
        self.log = log
        self._facility, self._home, self._options = facility, home, tuple(options)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self._process is not None, "start it first"
        return self._process.pid

    def start(self) -> WatchProcess:
        """Start the process; returns at once."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        words = [sys.executable, "-m", "cli", "watch", "--facility", str(self._facility)]
        words += ["--home", str(self._home), "--health", f"127.0.0.1:{self._port}", "--log-format", "json"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as lines:
            self._process = subprocess.Popen(
                [*words, *self._options], stdout=lines, stderr=lines, env=self._environment
            )
        return self

    def wait_until_analysing(self, cameras: int) -> None:
        """Wait until so many cameras have frames that were analysed.

        Raises:
            LazarettoError: the process ended, or they have none within `BEGIN_S`.
        """
        deadline, begun = time.monotonic() + BEGIN_S, 0
        while time.monotonic() < deadline:
            if (status := self.status()) is not None:
                begun = sum(camera["analysed"] > 0 for camera in status["cameras"].values())
                if begun >= cameras:
                    return
            time.sleep(_LOOK_S)
        raise LazarettoError(
            f"expected frames of {cameras} cameras within {BEGIN_S:.0f} s, got those of {begun}"
        )

    def status(self, latency_s: float = 60.0) -> dict[str, Any] | None:
        """What /status says; None where it does not answer.

        Args:
            latency_s: how far back latencies are told, seconds.

        Raises:
            LazarettoError: the process ended.
        """
        process = self._process
        assert process is not None, "start it first"
        if (code := process.poll()) is not None:
            lines = self.log.read_text("utf-8", "replace").strip().splitlines() or ["nothing"]
            raise LazarettoError(f"expected a watch that goes on, but it ended with {code}: {lines[-1]}")
        url = f"http://127.0.0.1:{self._port}/status?latency={latency_s:.1f}"
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except (urllib.error.URLError, OSError):
            return None

    def cost(self) -> TreeCost:
        """What it and its readers cost at this moment.

        Raises:
            LazarettoError: it ended, or there is no /proc.
        """
        return tree_of(self.pid)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end, and wait; returns its exit code.

        Raises:
            LazarettoError: it did not end within `END_S`; it was killed then.
        """
        process = self._process
        assert process is not None, "start it first"
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LazarettoError(f"expected the watch to end within {END_S:.0f} s, and killed it") from None

    def __enter__(self) -> WatchProcess:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; where something failed meanwhile, that is what is raised."""
        if kind is None:
            self.stop()
        else:
            self.kill()
