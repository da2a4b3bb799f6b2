"""A camera behind a cable that tests pull: a network of its own, joined by a pair of virtual devices."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS, THEIRS = (f"10.213.{os.getpid() % 256}.{host}" for host in (1, 2))
"""Addresses that another process which runs these tests does not use."""


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


class NoNetworkError(Exception):
    """No network can be made here."""


@dataclass
class Cable:
    """A camera behind a cable.

    Attributes:
        url: of the camera.
        space: name of its network.
    """

    url: str
    space: str

    def pull(self, pulled: bool = True) -> None:
        ran = _run("ip", "-n", self.space, "link", "set", "camera", "down" if pulled else "up")
        assert ran.returncode == 0, ran.stderr


@contextmanager
def camera_behind_cable(file: Path) -> Iterator[Cable]:
    """A camera in a network of its own that shows a file.

    Raises:
        NoNetworkError: none can be made here.
    """
    space, link = f"camera{os.getpid()}", f"cam{os.getpid()}"
    steps = [
        ["ip", "netns", "add", space],
        ["ip", "link", "add", link, "type", "veth", "peer", "name", "camera", "netns", space],
        ["ip", "addr", "add", f"{OURS}/30", "dev", link],
        ["ip", "link", "set", link, "up"],
        ["ip", "-n", space, "addr", "add", f"{THEIRS}/30", "dev", "camera"],
        ["ip", "-n", space, "link", "set", "camera", "up"],
    ]
    try:
        for step in steps:
            try:
                ran = _run(*step)
            except FileNotFoundError:
                raise NoNetworkError("expected the command ip to make a network, found none") from None
            if ran.returncode:
                raise NoNetworkError(f"expected to be allowed to make a network, got: {ran.stderr.strip()}")
        program = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from evaluation.streaming import RtspServer
server = RtspServer({THEIRS!r}).start()
server.mount("/yard", Path({str(file)!r}))
print(server.url("/yard"), flush=True)
time.sleep(600)
"""
        command = ["ip", "netns", "exec", space, sys.executable, "-c", program]
        serving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert serving.stdout is not None
        try:
            yield Cable(serving.stdout.readline().strip(), space)
        finally:
            serving.kill()
            serving.wait()
            serving.stdout.close()
    finally:
        _run("ip", "link", "del", link)
        _run("ip", "netns", "del", space)
