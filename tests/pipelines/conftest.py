from __future__ import annotations

from pathlib import Path

import pytest

from tests.sealed_home import Sealed, sealed_home


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    """A home with two incidents, each with three sealed files."""
    return sealed_home(tmp_path / "home")
