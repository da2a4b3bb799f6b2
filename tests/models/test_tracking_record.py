"""A detector in less than f32 runs unnamed only where its tracks of a video were found to lose little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ModelError
from models.exports import selection, store
from models.registry import Weights, resolve
from models.runtimes.forms import Form, processor_name
from tests.running import lazaretto

FORM = Form("onnx", "int8")
SIZE = 416


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    # Which form is chosen does not depend on whether it can be loaded here.
    monkeypatch.setattr(Form, "obstacle", lambda *_: None)
    plain = selection.Runtime("openvino-f32", store.PLAIN_FORM, tmp_path, "cpu")
    monkeypatch.setattr(selection, "plain", lambda *_: plain)
    return resolve("person")


def keep(weights: Weights, tmp_path: Path, task: str = "detect", form: Form = FORM) -> store.Export:
    """A verified export, faster than the plain form, whose tracks were not compared yet."""
    made = tmp_path / "made"
    made.mkdir()
    (made / form.file(weights.path.stem)).write_bytes(b"an export")
    record = store.Record(
        weights=weights.name,
        source_sha256=weights.sha256,
        export_sha256=store.digest(made),
        form=str(form),
        task=task,
        imgsz=SIZE,
        device="cpu",
        processor=processor_name("cpu"),
        metric="mAP50",
        source=0.8,
        export=0.795,
        data="stills",
        images=50,
        objects=100,
        calibration="footage",
        frames=20,
        plain_ms=20.0,
        export_ms=10.0,
        speed=2.0,
        made="2026-01-01T00:00:00+00:00",
        versions={},
    )
    target = store.place(weights.sha256, form, SIZE)
    target.parent.mkdir(parents=True, exist_ok=True)
    store.keep(made, record)
    return store.exports(weights)[0]


def chosen(weights: Weights, wanted: str = "auto") -> str:
    return selection.select(weights, "cpu", SIZE, wanted).name.split()[0]


@pytest.mark.parametrize("form", [FORM, Form("openvino", "bf16"), Form("openvino", "f16")], ids=str)
def test_a_detector_in_less_than_f32_runs_unnamed_up_to_the_loss_allowed(
    weights: Weights, tmp_path: Path, form: Form
) -> None:
    export = keep(weights, tmp_path, form=form)
    assert chosen(weights) == "openvino-f32" and chosen(weights, str(form)) == str(form)
    export = store.note_tracking(export, store.MAX_TRACKING_LOSS, "day.mp4")
    assert chosen(weights) == str(form)
    assert store.exports(weights)[0].record == export.record
    assert (export.record.tracking_loss, export.record.tracking_data) == (0.01, "day.mp4")


def test_the_worst_video_decides(weights: Weights, tmp_path: Path) -> None:
    export = store.note_tracking(keep(weights, tmp_path), -0.005, "day.mp4")
    assert chosen(weights) == str(FORM)
    export = store.note_tracking(export, 0.011, "night.mp4")
    assert chosen(weights) == "openvino-f32", "it does not hold at night"
    store.note_tracking(export, 0.0, "noon.mp4")
    assert store.exports(weights)[0].record.tracking_data == "night.mp4"
    assert chosen(weights) == "openvino-f32"


@pytest.mark.parametrize(("task", "form"), [("pose", FORM), ("detect", Form("onnx", "f32"))])
def test_other_exports_need_no_tracks(weights: Weights, tmp_path: Path, task: str, form: Form) -> None:
    keep(weights, tmp_path, task, form)
    assert chosen(weights) == str(form)


def test_the_list_says_what_the_tracks_lost(weights: Weights, tmp_path: Path) -> None:
    export = keep(weights, tmp_path)
    cache = {"LAZARETTO_CACHE": str(tmp_path / "cache")}
    assert "2.00 times as fast as without it, its tracks were not compared yet" in listed(cache)
    store.note_tracking(export, 0.004, "day.mp4")
    assert "2.00 times as fast as without it, lost at most 0.004 of IDF1 (day.mp4)" in listed(cache)


def listed(environment: dict[str, str]) -> str:
    return " ".join(lazaretto("models", "list", **environment).out.split())


def test_a_record_that_cannot_be_written_is_named(weights: Weights, tmp_path: Path) -> None:
    export = keep(weights, tmp_path)
    gone = replace(export, folder=tmp_path / "gone")
    with pytest.raises(ModelError, match=r"cannot write .*record.json"):
        store.note_tracking(gone, 0.0, "day.mp4")
