from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from models import figures, registry
from tests.running import FACILITY, YARD, lazaretto, one_sentence
from vision.networks import PerceptionSettings


def test_the_list_shows_digests_and_figures() -> None:
    listed = {row["name"]: row for row in lazaretto("models", "list", "--json").json}
    people = lazaretto("models", "list").out
    assert set(listed) == {weights.name for weights in registry.installed()}
    for weights in registry.installed():
        row = listed[weights.name]
        assert row["sha256"] == hashlib.sha256(weights.path.read_bytes()).hexdigest()
        assert row["sha256"] in people
        assert [figure["value"] for figure in row["figures"]] == [
            figure.value for figure in figures.card(weights).figures
        ]
        for figure in figures.card(weights).figures:
            assert str(figure) in people


def test_exports_are_made_for_the_size_at_which_the_pipeline_looks() -> None:
    assert figures.card(registry.resolve("person")).imgsz == PerceptionSettings().imgsz


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("person", "--format", "engine"), "expected a CUDA GPU for --format engine"),
        (
            ("person", "--format", "onnx", "--precision", "bf16"),
            "expected --precision among f32, f16, int8 for --format onnx, got 'bf16'",
        ),
        (("person", "--format", "onnx"), "expected labelled images to verify the export with"),
    ],
)
def test_an_export_that_cannot_be_is_refused_in_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = lazaretto("models", "export", *arguments, "--device", "cpu", LAZARETTO_CACHE=str(tmp_path / "c"))
    assert ran.code == 2
    assert sentence in one_sentence(ran)
    assert not (tmp_path / "c").exists()


def test_a_form_that_is_not_there_stops_the_analysis_before_it_begins(tmp_path: Path) -> None:
    ran = lazaretto(
        *("analyze", f"yard={YARD}", "--facility", FACILITY, "--home", tmp_path / "home"),
        *("--runtime", "openvino-int8", "--device", "cpu"),
        LAZARETTO_CACHE=str(tmp_path / "cache"),
    )
    assert ran.code == 2
    assert "expected a verified export of person as openvino-int8 at 416 px" in one_sentence(ran)
