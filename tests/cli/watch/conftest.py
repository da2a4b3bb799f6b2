"""A server of one camera, its facility, and a disk that is soon full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.streaming import Login, RtspServer
from tests.cli.watch.watch_site import LAWN, PASSWORD, Site
from tests.running import YARD
from tests.small_disk import small_disk


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
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "48m") as folder:
        yield folder
