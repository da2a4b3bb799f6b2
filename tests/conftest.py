from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from models.cache import cache_folder
from tests.running import FACILITY, LOBBY, YARD, lazaretto


@pytest.fixture(scope="session", autouse=True)
def _weights_of_former_tests_are_forgotten(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Drop the digests of weights in the folders of tests, whose paths occur again with other files."""
    base = tmp_path_factory.getbasetemp()
    folders = next((folder for folder in base.parents if folder.name.startswith("pytest-of-")), base)
    for file in (cache_folder() / "trusted").glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # another process drops them too
            if Path(json.loads(file.read_text("utf-8"))["path"]).is_relative_to(folders):
                file.unlink()


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, dict[str, Any]]:
    """The sample footage, analysed once without interruption: the home, and what the command printed.

    It takes a minute or two, so the processes that run the tests share the result; each has its own copy.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "analysed"
    home, printed = folder / "home", folder / "printed.json"
    with FileLock(f"{folder}.lock"):
        if not printed.exists():
            shutil.rmtree(folder, ignore_errors=True)
            sources = f"yard={YARD}", f"lobby={LOBBY}"
            ran = lazaretto("analyze", *sources, "--facility", FACILITY, "--home", home, "--json")
            assert ran.code == 0, ran.err
            printed.write_text(ran.out, "utf-8")
        copy = Path(shutil.copytree(home, tmp_path_factory.mktemp("analysed") / "home"))
    return copy, json.loads(printed.read_text("utf-8"))
