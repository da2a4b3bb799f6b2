"""Act as a user who owns nothing: the administrator, as whom tests run, could read and write everything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def another_user() -> Iterator[None]:
    """Act as a user who owns nothing here; the administrator (root) could read and write everything."""
    if os.geteuid() != 0:
        pytest.skip("needs the right to become another user")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def open_to_others(folder: Path) -> None:
    """Let other users read a folder below one of pytest, which only its owner may enter."""
    for parent in [folder, *folder.parents]:
        if os.stat(parent).st_uid == os.geteuid() and parent != Path(parent.anchor):
            parent.chmod(parent.stat().st_mode | 0o055)
