"""A server of one camera, its facility, and a disk that is soon full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.streaming import Login, RtspServer
from tests.cli.watch.watch_site import LAWN, PASSWORD, Site
from tests.running import YARD


@pytest.fixture(scope="module")
def server() -> Iterator[RtspServer]:
    with RtspServer() as running:
        running.mount("/yard", YARD, login=Login("watch", PASSWORD), live=False)
        yield running


@pytest.fixture
def site(tmp_path: Path, server: RtspServer) -> Site:
    address = server.url("/yard").rpartition("@")[2].removeprefix("rtsp://")
    facility = tmp_path / "facility.yaml"
    facility.write_text(
        "schema: 2\nfacility: {code: L-1, name: Live, managing_body: Test}\ncameras:\n"
        "  - id: yard\n    places: [yard]\n    default_role: resident\n"
        f"    source: rtsp://${{CAM_USER}}:${{CAM_PASSWORD}}@{address}\n    zones: [{LAWN}]\n",
        "utf-8",
    )
    return Site(facility, tmp_path / "home")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here: that takes the rights of an administrator")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
