"""Run the command line, in a process of its own or in this one, on small real footage."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from cli.main import main

ROOT = Path(__file__).parents[1]
YARD = ROOT / "data" / "yard.mp4"
LOBBY = ROOT / "data" / "built" / "lobby.mp4"
FACILITY = ROOT / "data" / "facility.yaml"


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "cli", *map(str, arguments)]


def lazaretto(*arguments: str | Path, **environment: str) -> Ran:
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **environment},
        timeout=300,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def lazaretto_here(*arguments: str | Path, columns: int = 200) -> Ran:
    """Run the entry point of the program in this process: starting another takes seconds.

    `columns`: width of the terminal.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["lazaretto", *map(str, arguments)]),
        patch.dict("os.environ", COLUMNS=str(columns)),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def one_sentence(ran: Ran) -> str:
    """Return the one line on standard error; fail when there are more, such as a traceback."""
    lines = [line for line in ran.err.splitlines() if line.strip()]
    assert len(lines) == 1, ran.err
    return lines[0]


def facts(home: Path, *arguments: str) -> list[dict[str, Any]]:
    """Return the incidents of a home without the fields that differ from run to run."""
    found = lazaretto("incidents", "list", "--json", "--home", home, *arguments).json
    for incident in found:
        incident.pop("run", None)
        for item in incident["evidence"].values():
            item.pop("created", None)
    return list(found)
