"""An analysis that continues another says so, says what differs, and leaves nothing unevaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incidents.ledger import Ledger
from pipelines.analysis import checkpoint
from tests.footage import write_video
from tests.running import Ran, lazaretto_here
from vision.clock import StoppedError

FACILITY = """schema: 2
facility: {code: LC-01, name: Test, managing_body: Test}
cameras:
  - {id: yard, places: [yard]}
  - {id: gate, places: [lobby]}
"""


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    path = tmp_path / "facility.yaml"
    path.write_text(FACILITY, "utf-8")
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five seconds, of which the first two are of one minute."""
    return write_video(tmp_path / "20261124_075958.mp4", 50)


def analyse(facility: Path, clip: Path, *more: str) -> Ran:
    return lazaretto_here(
        "analyze", f"yard={clip}", "--facility", facility, "--home", facility.parent / "home", *more
    )


def interrupt(facility: Path, clip: Path, *more: str) -> None:
    """End an analysis once it has written its first segment."""
    keep_only = checkpoint.keep_only

    def ended(*arguments: Any) -> None:
        keep_only(*arguments)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "keep_only", ended)
        assert analyse(facility, clip, *more).code == 130


def said(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return " ".join((ran.out + ran.err).split())


def left(home: Path) -> tuple[int, list[Path]]:
    """How many segments are not evaluated, and the checkpoints that remain."""
    with Ledger.open(home / "ledger.db") as ledger:
        return len(ledger.segments.not_evaluated("yard", 0, 1 << 60)), list((home / "resume").glob("*"))


def test_what_became_of_a_checkpoint_is_said_in_a_run_that_is_stopped_too(
    facility: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(facility, clip)
    [path] = (facility.parent / "home").glob("resume/*/*.checkpoint")
    path.write_bytes(path.read_bytes()[:-1])

    def stopped(*_: Any) -> None:
        raise StoppedError

    monkeypatch.setattr(checkpoint, "write", stopped)  # by now the torn one was read
    ran = analyse(facility, clip)
    assert ran.code == 130, ran.err
    assert "expected a whole checkpoint, got one that" in " ".join((ran.out + ran.err).split())


def test_the_same_command_says_where_it_continues(facility: Path, clip: Path) -> None:
    assert "continues at" not in said(analyse(facility, clip, "--home", str(facility.parent / "other")))
    interrupt(facility, clip)
    text = said(analyse(facility, clip))
    assert text.count("camera yard: continues at 2026-11-24 08:00:00+07:00 of " + str(clip)) == 1
    assert text.count("continues") == 1 and "other files" not in text and "did not end" not in text
    assert "continues at" not in said(analyse(facility, clip))
    assert left(facility.parent / "home") == (0, [])


def test_json_holds_the_sentence_too(facility: Path, clip: Path) -> None:
    interrupt(facility, clip)
    ran = analyse(facility, clip, "--json")
    [sentence] = ran.json["continued"]
    assert sentence.startswith("camera yard: continues at") and sentence in ran.err.splitlines()


def test_another_facility_file_is_said_and_judges_all_of_it(facility: Path, clip: Path) -> None:
    interrupt(facility, clip)
    facility.write_text(FACILITY + "# edited\n", "utf-8")
    text = said(analyse(facility, clip))
    assert "+07:00 of " + str(clip) + "; the analysis began under facility version " in text
    assert "and all of its footage is judged under " in text
    assert "was judged under" not in said(analyse(facility, clip))


@pytest.mark.parametrize(
    ("before", "now", "differs"),
    [
        ([], ["--imgsz", "480"], "--imgsz 416 (now 480)"),
        (["--gate", "off"], ["--fps", "2"], "--fps 5 (now 2), --gate off (now on)"),
        (["--tracker", "sort"], [], "--tracker sort (now lazaretto)"),
        (
            [],
            ["--runtime", "torch-f32"],
            "--runtime openvino-f32 of person, face, mask, appearance (now torch-f32)",
        ),
    ],
)
def test_other_options_are_named_and_what_was_analysed_before_is_evaluated(
    facility: Path, clip: Path, before: list[str], now: list[str], differs: str
) -> None:
    interrupt(facility, clip, *before)
    text = said(analyse(facility, clip, *now))
    start = (
        f"camera yard: continues at 2026-11-24 08:00:00+07:00 of {clip}; what was analysed until then had "
    )
    assert text.count(start + differs) == 1
    assert "it stays as it is, and people in view at that moment count as new" in text
    assert "left out" not in text and "did not end" not in text and "same recording" not in text
    assert "yard: watched 5 s of 5 s of footage" in text
    assert left(facility.parent / "home") == (0, [])
    # The command that was interrupted has nothing left to do, and counts all of the footage.
    again = said(analyse(facility, clip, *before))
    assert "camera yard: 1 of 1 source was analysed before" in again and "continues" not in again
    assert "yard: watched 5 s of 5 s of footage" in again


def test_other_weights_are_named(facility: Path, clip: Path, tmp_path: Path) -> None:
    interrupt(facility, clip)
    with Ledger.open(facility.parent / "home" / "ledger.db") as ledger:
        [run] = {segment.run_id for segment in ledger.segments.within("yard", 0, 1 << 60)}
        digest = ledger.runs.get(run).models["mask"]["sha256"]
    text = said(analyse(facility, clip, "--mask", str(renamed_mask(tmp_path))))
    assert f"had --mask mask {digest[:12]} (now other " in text


def renamed_mask(folder: Path) -> Path:
    """The mask weights in a file with another digest."""
    import torch

    from models.registry import resolve

    saved = torch.load(resolve("mask").path, weights_only=False)
    torch.save({**saved, "note": "another file"}, folder / "other.pt")
    return folder / "other.pt"
