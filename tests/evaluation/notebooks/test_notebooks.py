"""The notebooks, executed on the sample facility as their user runs them: cell by cell, in their folder."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NO_CONVERT, NotebookNode, read
from traitlets.config import Config

from incidents.ledger import Ledger
from incidents.record import Status
from pipelines.calibration.report import report
from pipelines.home import Home
from pipelines.suggestion.proposal import suggest
from tests.running import FACILITY, ROOT
from vision.frames import SECOND, to_iso
from zones.facility import load_facility
from zones.thresholds import ContactRule

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
PLOTS = {"calibrate_camera.ipynb": 4, "review_accuracy.ipynb": 4, "tune_zones.ipynb": 5}
"""How many plots each notebook shows on the sample facility."""


def printed_number(pattern: str, text: str) -> float:
    """The number that a notebook printed, in the only match of `pattern`."""
    (number,) = re.findall(pattern, text)
    return float(number)


def check_calibration(text: str, _: Path) -> None:
    """The check error is that of the facility file, and low enough for contact to be judged by it."""
    spec = load_facility(FACILITY).camera("yard").calibration
    assert spec is not None
    shown = printed_number(r"(?m)^Check error: ([0-9.]+) m$", text)
    assert shown == pytest.approx(report(spec, (768, 576)).plane.check_error, abs=5e-4)
    assert 0 < shown < ContactRule().max_calibration_error_m


def check_review(text: str, home: Path) -> None:
    """The counts are those of the ledger."""
    with Ledger.open(home / "ledger.db") as ledger:
        incidents = ledger.incidents.find()
    decided = [i for i in incidents if i.status in (Status.CONFIRMED, Status.FALSE_ALARM)]
    assert printed_number(r"(\d+) incidents in the ledger", text) == len(incidents) > len(decided)
    assert printed_number(r"(\d+) of them confirmed or decided to be false", text) == len(decided) > 0


def check_zones(text: str, home: Path) -> None:
    """The suggested floor rests on as many people as `suggest` counts in the log."""
    facility = load_facility(FACILITY)
    with Ledger.open(home / "ledger.db") as ledger:
        walkers = suggest(Home(home), ledger, facility, "yard", rate=0.2).trajectories.walker_count
    assert printed_number(r"suggested from .*: (\d+) people walked", text) == walkers > 0


CHECKS: dict[str, Callable[[str, Path], None]] = {
    "calibrate_camera.ipynb": check_calibration,
    "review_accuracy.ipynb": check_review,
    "tune_zones.ipynb": check_zones,
}
"""What each notebook must have printed, given its text and its home."""


@pytest.fixture(scope="module")
def reviewed(analysed: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample home with verdicts, and a file of true events: all that was confirmed, and one more."""
    home = tmp_path_factory.mktemp("reviewed") / "home"
    shutil.copytree(analysed[0], home)
    with Ledger.open(home / "ledger.db") as ledger:
        found = ledger.incidents.find(cameras=["yard"])
        for number, incident in enumerate(found[:-1]):
            verdict = Status.FALSE_ALARM if number % 3 == 2 else Status.CONFIRMED
            ledger.workflow.transition(incident.id, Status.IN_REVIEW, "tester", None, incident.end + 1)
            ledger.workflow.transition(incident.id, verdict, "tester", "seen", incident.end + 2)
        confirmed = ledger.incidents.find(cameras=["yard"], statuses=[Status.CONFIRMED])
        start = ledger.incidents.find(cameras=["yard"])[0].start - 5 * SECOND
    events = [{"kind": i.kind, "zone": i.zone, "start": to_iso(i.start)} for i in confirmed]
    events.append({"kind": "zone_crossing", "zone": "lawn", "start": to_iso(start + 50 * SECOND)})
    truth = {"schema": 1, "cameras": [{"camera": "yard", "events": events}]}
    (home / "events.json").write_text(json.dumps(truth), encoding="utf-8")
    return home


def run(name: str, monkeypatch: pytest.MonkeyPatch, home: Path, **environment: str) -> NotebookNode:
    notebook = read(FOLDER / name, NO_CONVERT)
    given = {"HOME": str(home), "FACILITY": str(FACILITY), **environment}
    for variable in ("CAMERA", "DRAFT", "EVENTS"):
        monkeypatch.delenv(f"LAZARETTO_{variable}", raising=False)
    for variable, value in given.items():
        monkeypatch.setenv(f"LAZARETTO_{variable}", value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    where = {"metadata": {"path": str(FOLDER)}}
    # Sockets of files rather than of TCP, to which other users could listen; their path is short.
    with TemporaryDirectory() as sockets:
        config = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})
        return NotebookClient(notebook, timeout=120, resources=where, config=config).execute()


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def printed(notebook: NotebookNode) -> str:
    return "".join(output.text for output in outputs(notebook) if output.output_type == "stream")


def plots(notebook: NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_on_the_sample_facility_and_shows_its_plots(
    name: str, reviewed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(name, monkeypatch, reviewed, EVENTS=str(reviewed / "events.json"))
    CHECKS[name](printed(done), reviewed)
    assert plots(done) == PLOTS[name]
    # Warnings of matplotlib, such as of a letter that its font lacks, go to standard error.
    warned = [o.text for o in outputs(done) if o.output_type == "stream" and o.name == "stderr"]
    assert warned == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_with_nothing_there_it_ends_with_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CellExecutionError) as stopped:
        run(name, monkeypatch, tmp_path / "nowhere")
    (shown,) = re.findall(r"(?m)^Nothing to show: .+$", stopped.value.traceback)
    assert "expected" in shown and "nowhere" in shown
    assert "Traceback" not in stopped.value.traceback


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_is_kept_without_outputs_and_without_paths_of_a_machine(name: str) -> None:
    notebook = read(FOLDER / name, NO_CONVERT)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.source
        assert not re.search(r"[\"'](/|[A-Z]:\\)", cell.source)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_every_notebook_is_known_here() -> None:
    assert set(NOTEBOOKS) == set(PLOTS) == set(CHECKS)
