"""Evidence that later footage makes longer: sealed as a revision, or not written at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.evidence import ClipSource
from incidents.ledger import Ledger
from pipelines.home import Home
from pipelines.incident_review import decide
from pipelines.record_incidents import record_incidents
from pipelines.verify import verify
from tests.footage import write_video
from tests.incidents.rules.rule_scenes import NOON, RESIDENTS, box_zone, observe, scene, stay
from tests.logs import log_home
from vision.frames import SECOND
from zones.facility import ZoneType

FACILITY = scene(box_zone("ward", ZoneType.STAFF_ONLY, 5, 2, 9, 8), **RESIDENTS)


@pytest.mark.parametrize("decided", [False, True])
def test_footage_that_comes_later_leaves_no_file_without_a_seal(tmp_path: Path, decided: bool) -> None:
    home = Home(tmp_path / "home")
    run = log_home(home.path, FACILITY, {"cam-1": observe([stay(5, 7, 5, 0, 8)], hz=2)})
    parts = [write_video(tmp_path / f"{n}.mp4", 100, first=100 * n) for n in range(2)]
    footage = [ClipSource(path, NOON + 10 * n * SECOND) for n, path in enumerate(parts)]
    window = (NOON, NOON + 30 * SECOND)
    with Ledger.open(home.ledger) as ledger:
        for available in (footage[:1], footage, footage):
            done = record_incidents(home, ledger, FACILITY, FACILITY.cameras[0], window, available, run)
            assert done.faults == []
            if decided and len(available) == 1:
                [incident] = ledger.incidents.find()
                decide(ledger, incident.id, "confirmed", "An", "seen")
        revisions = ledger.incidents.evidence_revisions(ledger.incidents.find()[0].id)
    assert len(revisions) == (3 if decided else 6)
    found = verify(home)
    assert found.sound and len(found.checked) == len(revisions), found.unsealed


def test_a_file_that_was_altered_is_not_sealed_again(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    run = log_home(home.path, FACILITY, {"cam-1": observe([stay(5, 7, 5, 0, 8)], hz=2)})
    footage = [ClipSource(write_video(tmp_path / "a.mp4", 200), NOON)]
    arguments = (FACILITY, FACILITY.cameras[0], (NOON, NOON + 30 * SECOND), footage, run)
    with Ledger.open(home.ledger) as ledger:
        assert record_incidents(home, ledger, *arguments).faults == []
        [incident] = ledger.incidents.find()
        boxes = home.evidence_folder(incident) / "boxes.json"
        boxes.write_text(boxes.read_text().replace("resident", "outsider"))
        [fault] = record_incidents(home, ledger, *arguments).faults
        assert str(fault).startswith(f"{boxes}: expected the file as it was sealed, got one that was altered")
        assert len(ledger.incidents.evidence_revisions(incident.id)) == 3
    [broken] = verify(home).faults
    assert (broken.check.item.kind, broken.check.state) == ("boxes", "altered")
