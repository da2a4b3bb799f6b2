"""The commands of README.md and docs/ are run, one page after the other, as a reader would type them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import polars as pl
import pytest
import typer.main

from cli.main import LAZARETTO
from tests.running import ROOT, YARD, facts
from vision import observations

README = ROOT / "README.md"
FIRST = [README, *(ROOT / "docs" / name for name in ("operator.md", "reviewer.md", "engineer.md"))]
"""In the order in which a facility meets them. Roles are taught last: they change how footage is analysed."""
PAGES = [*FIRST, *sorted(set((ROOT / "docs").glob("*.md")) - set(FIRST))]
NOT_RUN = {
    "make": "installs into the checkout; continuous integration runs it",
    "source": "the test puts the command on the path itself",
    "lazaretto roles label": "opens a page and waits for a person: tests/review/test_role_page.py drives it",
    "lazaretto bench": "takes minutes; tests/evaluation covers what it computes",
    "lazaretto evaluate": "needs truth from elsewhere; tests/cli/test_evaluate.py has its own",
    "lazaretto models export": "takes minutes: tests/models/ makes exports of small networks",
    "python tools/": "tests/docs/test_defaults.py and tests/tools/ run the scripts",
    "lazaretto notify test": "needs servers: tests/pipelines/notifications/ has real ones",
    "lazaretto notify run": "runs until it is interrupted: tests/pipelines/notifications/ does it",
    "lazaretto watch": "runs until it is interrupted: tests/cli/watch/ does it",
    "lazaretto cameras": "needs cameras: tests/cli/test_cameras_command.py has a server of them",
    "lazaretto doctor": "its exit code is that of this machine: tests/cli/test_cameras_command.py runs it",
    "lazaretto facility init": "asks on a terminal: tests/cli/test_facility_command.py answers on one",
}
"""Beginnings of commands that are not run here, with the reason. Their flags are checked all the same."""

BOX = ("x1", "y1", "x2", "y2")
PEOPLE = 4
"""People of each role that the labels name."""


@dataclass(frozen=True)
class Command:
    """A command of a page, and the line of the page on which it stands."""

    page: Path
    line: int
    text: str

    @property
    def reason(self) -> str | None:
        """Why the command is not run, or None."""
        if "--answers" in self.text:
            return None
        return next((why for start, why in NOT_RUN.items() if self.text.startswith(start)), None)

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line} {self.text}"


def commands(page: Path) -> Iterator[Command]:
    """The commands in the `sh` blocks of a page, comments removed and continued lines joined."""
    inside, text, began = False, "", 0
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside = line.strip() == "```sh"
        elif inside and line.strip():
            began = began if text else number
            text += line.strip().removesuffix("\\")
            if not line.rstrip().endswith("\\"):
                yield Command(page, began, shlex.join(shlex.split(text, comments=True)))
                text = ""


def inline(page: Path) -> Iterator[Command]:
    """Commands that stand within a sentence or a table, such as `lazaretto zones check`."""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        for text in re.findall(r"`(lazaretto [^`]+)`", line):
            yield Command(page, number, text)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, analysed: tuple[Path, dict[str, Any]]) -> Path:
    """A folder with what the pages speak of, in which their commands are run."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "data").symlink_to(ROOT / "data")
    shutil.copytree(analysed[0], folder / "demo-home")
    facility = re.search(r"```yaml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert facility is not None, "the README shows a first facility file"
    (folder / "facility.yaml").write_text(facility[1], "utf-8")
    (folder / "edited.yaml").write_text(facility[1].replace("0.6, 0.5", "0.5, 0.5"), "utf-8")
    (folder / "recordings").mkdir()
    shutil.copy(YARD, folder / "recordings" / "20261124T080000.mp4")
    video = cv2.VideoCapture(str(YARD))
    good, picture = video.read()
    assert good and cv2.imwrite(str(folder / "view.png"), picture)
    (folder / "marks.csv").write_text(marks(), "utf-8")
    (folder / "labels.csv").write_text(labels(analysed[0]), "utf-8")
    shutil.copy(Path(__file__).with_name("answers.json"), folder)
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    script = bin_folder / "lazaretto"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n')
    script.chmod(0o755)
    return folder


def marks() -> str:
    """The first calibration marks of the sample yard: 768 x 576 px against metres."""
    text = (ROOT / "data" / "facility.yaml").read_text("utf-8")
    found = re.findall(r"image: \[([\d.]+), ([\d.]+)\], ground: \[([-\d.]+), ([-\d.]+)\]", text)[:10]
    rows = [f"{float(x) * 768:.1f},{float(y) * 576:.1f},{gx},{gy}" for x, y, gx, gy in found]
    return "\n".join(["x,y,ground_x,ground_y", *rows]) + "\n"


def labels(home: Path) -> str:
    """Labels of two roles that the clothes tell, of the people in the yard: those in light and in dark."""
    seen = observations.read(home, "yard", *observations.ALL_TIME)
    large = seen.filter(pl.col("y2") - pl.col("y1") > 60).group_by("track").agg(pl.all().head(12))
    people = [one for one in large.sort("track").iter_rows(named=True) if len(one["frame"]) == 12]
    by_light = sorted(people, key=lambda one: brightness(one["frame"][6], *(one[n][6] for n in BOX)))
    rows = ["video,frame,x1,y1,x2,y2,track,role"]
    for role, chosen in (("resident", by_light[:PEOPLE]), ("staff_ppe", by_light[-PEOPLE:])):
        for one in chosen:
            boxes = zip(one["frame"], *(one[name] for name in BOX), strict=True)
            rows += [
                f"data/yard.mp4,{f},{a:.0f},{b:.0f},{c:.0f},{d:.0f},{one['track']:x},{role}"
                for f, a, b, c, d in boxes
            ]
    return "\n".join(rows) + "\n"


def brightness(frame: int, x1: float, y1: float, x2: float, y2: float) -> float:
    """Mean grey level of the clothes in a box of a frame of the yard: its middle, from shoulders to knees."""
    picture = yard_frames()[frame]
    high, wide = y2 - y1, x2 - x1
    part = picture[
        round(y1 + 0.2 * high) : round(y1 + 0.7 * high), round(x1 + 0.3 * wide) : round(x2 - 0.3 * wide)
    ]
    return float(part.mean())


@cache
def yard_frames() -> list[np.ndarray]:
    """The frames of the sample yard, grey."""
    with av.open(str(ROOT / "data" / "yard.mp4")) as video:
        return [frame.to_ndarray(format="gray") for frame in video.decode(video=0)]


def run(command: Command, folder: Path) -> None:
    """Run a command in the reader's folder; zones check may exit with 3, which means warnings."""
    text = command.text
    if " ID" in text:
        home = re.search(r"--home (\S+)", text)
        assert home is not None, command
        text = text.replace(" ID", f" {facts(folder / home[1])[0]['id'][:6]}")
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["sh", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    fine = (0, 3) if " zones check " in f" {text} " else (0,)
    assert done.returncode in fine, f"{command}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, f"{command}\n{done.stderr}"


@pytest.mark.slow
def test_the_commands_of_the_pages_run(reader: Path) -> None:
    ran = [command for page in PAGES for command in commands(page) if command.reason is None]
    assert len(ran) > 20
    for command in ran:
        run(command, reader)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_named_on_a_page_exists_with_its_flags(page: Path) -> None:
    group = typer.main.get_command(LAZARETTO.build())
    for command in (*commands(page), *inline(page)):
        if command.text.startswith("lazaretto "):
            check(command, group, shlex.split(command.text)[1:])


def check(command: Command, known: Any, words: list[str]) -> None:
    """Walk down the groups of the command line, and see that the last command has the flags."""
    while hasattr(known, "commands") and words and not words[0].startswith("-"):
        name = words[0]
        assert name in known.commands, f"{command}: there is no command {name}"
        known, words = known.commands[name], words[1:]
    flags = {flag for p in known.params for flag in (*p.opts, *p.secondary_opts)} | {"--help"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in flags, f"{command}: there is no flag {word}"


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 120


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
