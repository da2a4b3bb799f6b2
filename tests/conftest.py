from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.running import FACILITY, LOBBY, YARD, lazaretto


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The sample footage, analysed once without interruption: the home, and what the command printed."""
    home = tmp_path_factory.mktemp("analysed") / "home"
    ran = lazaretto(
        "analyze", f"yard={YARD}", f"lobby={LOBBY}", "--facility", FACILITY, "--home", home, "--json"
    )
    assert ran.code == 0, ran.err
    return home, ran.json
