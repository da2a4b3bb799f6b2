"""The units and container files hold together with the program: commands, folders, packages, limits."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main

from cli.exit_codes import ExitCode
from cli.main import LAZARETTO
from tests.running import ROOT

PACKAGING = ROOT / "packaging"
UNITS = sorted([*PACKAGING.glob("*.service"), *PACKAGING.glob("*.timer")])
CONTAINERS = sorted(PACKAGING.glob("Containerfile*"))
PROGRAM = "/opt/lazaretto/.venv/bin/lazaretto"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NOT_HERE = {"watch"}
"""Commands that units may name before this program has them."""


class Unit(configparser.RawConfigParser):
    """A unit: names keep their case, and a name may be given again."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters=("=",), interpolation=None)
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read_string(path.read_text("utf-8"))
        self.text = path.read_text("utf-8")


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_unit(path: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    for unit in UNITS:  # a timer names its service
        text = unit.read_text("utf-8").replace(PROGRAM, shutil.which("true") or "/bin/true")
        (tmp_path / unit.name).write_text(text.replace("Documentation=", "#"))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / path.name], capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("path", [p for p in UNITS if p.suffix == ".service"], ids=lambda path: path.name)
def test_the_program_has_the_command_of_the_unit(path: Path) -> None:
    program, name, *words = shlex.split(Unit(path)["Service"]["ExecStart"])
    assert program == PROGRAM
    group = typer.main.get_command(LAZARETTO.build())
    if name in NOT_HERE and name not in group.commands:  # type: ignore[attr-defined]
        return
    command = group.commands[name]  # type: ignore[attr-defined]
    flags = {flag for param in command.params for flag in param.opts}
    assert {word for word in words if word.startswith("--")} <= flags


def test_the_watch_is_started_again_whatever_ends_it() -> None:
    unit = Unit(PACKAGING / "lazaretto-watch.service")
    service = unit["Service"]
    assert (service["Type"], service["Restart"], service["OOMPolicy"]) == ("notify", "always", "continue")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert int(service["WatchdogSec"]) > 0
    assert {"network-online.target", "time-sync.target"} <= set(unit["Unit"]["After"].split())
    assert int(service["SuccessExitStatus"]) == ExitCode.INTERRUPTED
    assert service["EnvironmentFile"] == "/etc/lazaretto/cameras.env"
    assert "MemoryDenyWriteExecute=" not in unit.text, "the rules are compiled when they are loaded"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_no_unit_and_no_example_holds_a_secret_or_runs_as_root(path: Path) -> None:
    unit = Unit(path)
    if path.suffix == ".service":
        service = unit["Service"]
        assert service["User"] == "lazaretto" and service["NoNewPrivileges"] == "yes"
        assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")
        assert service["ProtectHome"] == "yes", "the home of the service lies below /var/lib"
    assert not re.search(r"(?i)password=(?!\"change me\")", unit.text)


def stages(path: Path) -> list[tuple[str, list[str]]]:
    """The instructions of a container file: each name and its words, continued lines joined."""
    text = re.sub(r"^#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        assert name in {
            *("FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER"),
            *("VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD"),
        }, line
        found.append((name, rest.split()))
    return found


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_what_a_container_copies_is_there_and_is_all_of_the_program(path: Path) -> None:
    copied = [words for name, words in stages(path) if name == "COPY"]
    local = [word for words in copied if not words[0].startswith("--from") for word in words[:-1]]
    assert local and all((ROOT / name).exists() for name in local), local
    packages = {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= set(local)
    needed = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "pyproject.toml"}
    assert needed <= set(local)


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_a_container_names_its_base_plainly_and_runs_as_a_user(path: Path) -> None:
    found = stages(path)
    bases = [words[0] for name, words in found if name == "FROM"]
    assert all(re.fullmatch(r"[a-z]+:[a-z0-9.-]+", base) and "latest" not in base for base in bases)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert all(base.startswith(f"python:{python}-") for base in bases)
    assert not re.search(r"https?://", path.read_text("utf-8")), "no host name beyond the base image"
    last = {name: words for name, words in found}
    assert last["USER"] == ["10001:10001"]
    assert last["ENTRYPOINT"] == ['["lazaretto"]'] and "lazaretto" in PROJECT["project"]["scripts"]
    unit = shlex.split(Unit(PACKAGING / "lazaretto-watch.service")["Service"]["ExecStart"])[1:]
    assert re.findall(r'"([^"]+)"', " ".join(last["CMD"])) == unit


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_the_shell_of_a_container_file_parses(path: Path) -> None:
    for name, words in stages(path):
        if name == "RUN":
            subprocess.run(["sh", "-n", "-c", " ".join(words)], check=True)


def test_the_torch_of_the_container_is_the_projects() -> None:
    text = (PACKAGING / "Containerfile").read_text("utf-8")
    wanted = [need for need in PROJECT["project"]["dependencies"] if need.startswith("torch")]
    assert len(wanted) == 2 and all(f"'{need}'" in text for need in wanted)
