"""The page of defaults says what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "defaults.md").read_text("utf-8")


def test_the_page_is_what_the_code_gives() -> None:
    written = subprocess.run(
        [sys.executable, ROOT / "tools" / "defaults_table.py"], capture_output=True, check=True, timeout=60
    ).stdout.decode("utf-8")
    assert written == PAGE, "run: python tools/defaults_table.py > docs/defaults.md"


def test_thresholds_and_constants_are_on_the_page() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (.+?) \| (.*) \|$", PAGE, re.MULTILINE)
    values = {name: value for name, value, _ in rows}
    assert values["rules.contact.distance_m"] == "2.0"
    assert sum(name.startswith("rules.") for name in values) > 20
    assert all(meaning.strip() for _, _, meaning in rows), "a value without a meaning helps no reader"


def test_no_mark_is_left_that_nothing_explains() -> None:
    marked = [
        str(path.relative_to(ROOT))
        for package in ("zones", "models", "vision", "incidents", "pipelines", "evaluation", "review", "cli")
        for path in (ROOT / package).rglob("*.py")
        if "[D]" in path.read_text("utf-8")
    ]
    assert not marked
