from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import made_networks
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import datasets
from models.devices import Classifier, Device
from models.errors import ModelError
from models.exports import conversion, exporting, selection, store, verification
from models.exports.example_images import Example, Examples
from models.exports.exporting import Job
from models.registry import Weights, resolve
from models.runtimes.forms import Form
from models.runtimes.network import Network

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
SIDE = 64


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier, the pictures that it is surest of (labelled by it), and others to calibrate with."""
    folder = tmp_path_factory.mktemp("bench")
    net = made_networks.classifier(folder / "net.pt")
    pictures = made_networks.pictures(300, SIDE, seed=3)
    with torch.no_grad():
        output = net(made_networks.as_input(pictures))
    said = (output[0] if isinstance(output, tuple) else output).numpy()
    for name in made_networks.CLASSES:
        (folder / "labelled" / name).mkdir(parents=True)
    ordered = np.sort(said, axis=1)
    for number in np.argsort(ordered[:, -2] - ordered[:, -1])[:80]:
        name = made_networks.CLASSES[int(said[number].argmax())]
        cv2.imwrite(str(folder / "labelled" / name / f"{number}.png"), pictures[number])
    (folder / "footage").mkdir()
    for number, picture in enumerate(made_networks.pictures(16, SIDE, seed=4)):
        cv2.imwrite(str(folder / "footage" / f"{number}.png"), picture)
    return folder


@pytest.fixture(scope="module")
def weights(bench: Path) -> Weights:
    return resolve(str(bench / "net.pt"))


def job(bench: Path, weights: Weights, form: str, **changes: Any) -> Job:
    given = Job(weights, Form.parse(form), SIDE, images=bench / "labelled", footage=(bench / "footage",))
    return replace(given, **changes)


@pytest.fixture(scope="module")
def cache(bench: Path, weights: Weights) -> Iterator[Path]:
    """A cache with two exports, made for real."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAZARETTO_CACHE", str(bench / "cache"))
        exporting.export(job(bench, weights, "onnx-f16"))
        exporting.export(job(bench, weights, "onnx-f32"))
        yield bench / "cache"


@pytest.fixture
def copied(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that cache, to spoil."""
    shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rewrite(export: store.Export, /, **fields: object) -> None:
    file = export.folder / store.RECORD
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def found(weights: Weights, form: str) -> store.Export:
    return next(export for export in store.exports(weights) if export.record.form == form)


def chosen(weights: Weights, imgsz: int = SIDE, wanted: str = "auto") -> str:
    return selection.select(weights, "cpu", imgsz, wanted).name.split()[0]


def test_the_record_of_an_export_has_its_figures(cache: Path, weights: Weights) -> None:
    record = found(weights, "onnx-f32").record
    assert (record.metric, record.source, record.export, record.images) == ("top-1", 1.0, 1.0, 80)
    assert (record.source_sha256, record.task, record.imgsz) == (weights.sha256, "classify", SIDE)
    assert record.plain_ms > 0 and record.export_ms > 0 and record.speed > 0
    assert {"onnxruntime", "torch"} <= set(record.versions)
    folders = sorted(path.name for path in (cache / "exports" / weights.sha256[:16]).iterdir())
    assert folders == ["onnx-f16-64", "onnx-f32-64", "openvino-f32"]


def test_every_form_gives_the_same_probabilities(copied: Path, weights: Weights) -> None:
    crops = list(made_networks.pictures(6, SIDE, seed=7))
    # Probabilities. Two runtimes order the same f32 sums differently, which moves them by some 1e-6; f16
    # keeps 11 bits of each value, bf16 would keep 8.
    tolerances = {"openvino-f32": 1e-4, "onnx-f32": 1e-4, "onnx-f16": 1e-2}
    reference = Classifier(weights, Device("cpu", runtime="torch-f32"), SIDE)(crops)
    assert np.ptp(reference, axis=0).max() > 0.2
    for form, tolerance in tolerances.items():
        answer = Classifier(weights, Device("cpu", runtime=form), SIDE)(crops)
        assert answer == pytest.approx(reference, abs=tolerance), form


def test_the_fastest_verified_form_runs_and_is_recorded(copied: Path, weights: Weights) -> None:
    rewrite(found(weights, "onnx-f32"), speed=1.6)
    rewrite(found(weights, "onnx-f16"), speed=1.2)
    assert chosen(weights) == "onnx-f32"
    used = Classifier(weights, Device("cpu"), SIDE).weights
    assert used.runtime == f"onnx-f32 {found(weights, 'onnx-f32').record.export_sha256[:16]}"
    rewrite(found(weights, "onnx-f16"), speed=1.7)
    assert chosen(weights) == "onnx-f16"


@pytest.mark.parametrize(
    "fields",
    [
        {"speed": 0.97},
        {"export": 0.98},
        {"device": "cuda"},
        {"processor": "another"},
        {"schema": 1},
        {"source_sha256": "0" * 64},
    ],
)
def test_the_plain_form_runs_where_no_export_was_verified_to_be_faster(
    copied: Path, weights: Weights, fields: dict[str, object]
) -> None:
    for form in ("onnx-f32", "onnx-f16"):
        rewrite(found(weights, form), **{"speed": 1.5, **fields})
    assert chosen(weights) == "openvino-f32"


def test_an_export_counts_for_the_size_at_which_it_was_measured(copied: Path, weights: Weights) -> None:
    rewrite(found(weights, "onnx-f32"), speed=1.6)
    assert chosen(weights, 96) == "openvino-f32"


def test_exports_with_unreadable_records_are_left_out(copied: Path, weights: Weights) -> None:
    for export in store.exports(weights):
        (export.folder / store.RECORD).write_text("{")
    assert store.exports(weights) == []
    assert chosen(weights) == "openvino-f32"


FORMS = ("openvino-f32", "onnx-f32", "onnx-f16")


def answers(weights: Weights) -> list[np.ndarray]:
    crops = list(made_networks.pictures(3, SIDE, seed=7))
    return [Classifier(weights, Device("cpu", runtime=form), SIDE)(crops) for form in FORMS]


def test_every_export_of_weights_runs_under_any_name_of_their_file(
    copied: Path, weights: Weights, tmp_path: Path
) -> None:
    shutil.copyfile(weights.path, tmp_path / "alpha.pt")
    renamed = resolve(str(tmp_path / "alpha.pt"))
    assert np.array_equal(answers(renamed), answers(weights))
    # The other way round: the plain export is made under the new name.
    shutil.rmtree(copied / "exports" / weights.sha256[:16] / "openvino-f32")
    assert np.array_equal(answers(renamed), answers(weights))


def test_a_cache_in_which_exports_have_the_name_of_their_weights_goes_on_working(
    copied: Path, weights: Weights
) -> None:
    expected = answers(weights)
    for form in FORMS:
        folder = next((copied / "exports" / weights.sha256[:16]).glob(f"{form}*"))
        made = store.network_in(folder, Form.parse(form))
        assert made is not None
        for path in [*made.glob("network.*"), made]:
            path.replace(path.with_name(path.name.replace("network", "net", 1)))
        if form == "openvino-f32":
            (folder / store.DIGEST).write_text(store.digest(folder))
        else:
            rewrite(found(weights, form), export_sha256=store.digest(folder))
    assert np.array_equal(answers(weights), expected)


def test_an_export_that_cannot_be_loaded_is_refused_with_a_reason(
    copied: Path, weights: Weights, tmp_path: Path
) -> None:
    empty = tmp_path / "net_openvino_model"
    empty.mkdir()
    with pytest.raises(ModelError, match=r"expected an OpenVINO network \(a file .xml\) in .*, found none"):
        Network(empty, Form("openvino"), "cpu")
    folder = copied / "exports" / weights.sha256[:16] / "openvino-f32"
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "appearance.xml").write_text("the network of another kind")
    (folder / store.DIGEST).write_text(store.digest(folder))
    with pytest.raises(ModelError, match="net: expected weights of an ultralytics network, got those of"):
        Classifier(weights, Device("cpu", runtime="openvino-f32"), SIDE)


def test_a_cache_of_an_older_version_is_left_alone(copied: Path, weights: Weights) -> None:
    old = copied / "openvino" / weights.sha256[:16] / "net_openvino_model"
    old.mkdir(parents=True)
    (old / "net.xml").write_text("not a network")
    assert Classifier(weights, Device("cpu"), SIDE)(list(made_networks.pictures(1, SIDE))).shape == (1, 4)


@pytest.mark.parametrize("form", ["onnx-f32", "onnx-f16"])
def test_a_tampered_export_is_refused(copied: Path, weights: Weights, form: str) -> None:
    export = found(weights, form)
    rewrite(export, speed=1e6)
    file = max((p for p in export.folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="is not the verified one: expected SHA-256"):
        Classifier(weights, Device("cpu"), SIDE)


def test_an_export_with_an_additional_file_is_refused(copied: Path, weights: Weights) -> None:
    export = found(weights, "onnx-f16")
    rewrite(export, speed=1e6)
    (export.folder / "another.xml").write_text("")
    with pytest.raises(ModelError, match="is not the verified one"):
        Classifier(weights, Device("cpu"), SIDE)


def test_a_named_form_must_exist(copied: Path, weights: Weights) -> None:
    assert chosen(weights, wanted="openvino-f32") == "openvino-f32"
    assert chosen(weights, wanted="torch") == "torch-f32"
    with pytest.raises(ModelError, match="expected a verified export of net as openvino-int8 at 64 px"):
        chosen(weights, wanted="openvino-int8")
    for name in ("", "tensorrt", "openvino-half", "openvino-", "onnx-bf16", "torch-int8"):
        with pytest.raises(ModelError, match="expected a runtime among auto, torch-f32, torch-f16"):
            Device.choose("cpu", name)


def test_an_int8_export_that_loses_accuracy_is_refused_and_leaves_nothing(
    bench: Path, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An untrained network does not survive it; calibrated with black pictures, even less does.
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "black").mkdir()
    for number in range(4):
        cv2.imwrite(str(tmp_path / "black" / f"{number}.png"), np.zeros((SIDE, SIDE, 3), np.uint8))
    wrecked = job(bench, weights, "openvino-int8", footage=(tmp_path / "black",))
    with pytest.raises(
        ModelError, match=r"refused: expected to lose at most 1 point of top-1, got top-1 0\.\d"
    ):
        exporting.export(wrecked)
    assert store.exports(weights) == []
    left = [p.name for p in (tmp_path / "cache" / "exports" / weights.sha256[:16]).iterdir()]
    assert left == ["openvino-f32"]  # the plain form, which the export was timed against


def test_an_export_of_other_weights_is_refused(
    bench: Path, weights: Weights, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_networks.classifier(tmp_path / "net.pt", seed=2)
    other, honest = resolve(str(tmp_path / "net.pt")), conversion.convert
    monkeypatch.setattr(conversion, "convert", lambda _, *rest: honest(other, *rest))
    before = found(weights, "onnx-f32").record
    with pytest.raises(ModelError, match="the export is refused"):
        exporting.export(job(bench, weights, "onnx-f32"))
    assert found(weights, "onnx-f32").record == before  # the one that was there is still there


@given(st.floats(0.1, 1), st.floats(-0.5, 0.5))
def test_an_export_that_loses_more_than_a_point_is_refused(source: float, lost: float) -> None:
    if lost > 0.01 + 1e-6:
        with pytest.raises(ModelError, match="refused"):
            verification.check(source, source - lost, "mAP50")
    elif lost < 0.01:
        verification.check(source, source - lost, "mAP50")


def test_labels_of_other_classes_are_refused() -> None:
    with pytest.raises(ModelError, match=r"expected labelled images on which the source reaches mAP50 0\.1"):
        verification.check(0.02, 0.02, "mAP50")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": None}, "expected labelled images to verify the export with"),
        ({"images": Path("nowhere")}, "expected a folder of labelled images, got nowhere"),
        ({"images": None, "data": SHARED}, "expected --images with labelled images of your own for 'net'"),
        ({"imgsz": 100}, "expected an image size that is a multiple of 32, got 100"),
        ({"form": Form("engine")}, "expected a CUDA GPU for --format engine"),
        (
            {"form": Form("openvino", "int8"), "footage": ()},
            "expected calibration frames for --precision int8, got none",
        ),
        (
            {"form": Form("openvino", "int8"), "footage": (ROOT / "README.md",)},
            "expected calibration frames in images, videos or folders",
        ),
    ],
)
def test_an_export_that_cannot_be_made_is_refused_in_one_sentence(
    bench: Path,
    weights: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    sentence: str,
) -> None:
    if changes.get("data") and not SHARED.is_dir():
        pytest.skip(f"needs the public data in {SHARED}")
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match=sentence) as caught:
        exporting.export(replace(job(bench, weights, "openvino-f32"), **changes))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_calibrating_with_the_labelled_images_is_refused(bench: Path, weights: Weights) -> None:
    held = (bench / "labelled" / made_networks.CLASSES[0],)
    with pytest.raises(ModelError, match="expected calibration frames other than the labelled images"):
        exporting.export(job(bench, weights, "openvino-int8", footage=held))


def test_a_killed_export_leaves_no_export_and_the_next_one_removes_its_files(
    bench: Path, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "exports" / weights.sha256[:16]
    command = [sys.executable, "-m", "cli", "models", "export", str(weights.path), "--format", "onnx"]
    process = subprocess.Popen(
        [*command, "--images", str(bench / "labelled"), "--imgsz", str(SIDE)],
        cwd=ROOT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob(".making-*/*/network.*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(folder.glob(".making-*"))
    assert store.exports(weights) == []
    exporting.export(job(bench, weights, "onnx-f32"))
    assert sorted(path.name for path in folder.iterdir()) == ["onnx-f32-64", "openvino-f32"]
    assert [export.record.form for export in store.exports(weights)] == ["onnx-f32"]


class Scripted:
    """A detector that answers what it is told, picture by picture."""

    task = "detect"

    def __init__(self, answers: list[list[list[float]]]) -> None:
        self._answers = [np.array(rows, np.float32).reshape(-1, 6) for rows in answers]
        self._next = 0

    def boxes(self, images: list[np.ndarray], imgsz: int, confidence: float) -> list[np.ndarray]:
        self._next += 1
        return [self._answers[self._next - 1]]


def test_average_precision_counts_found_boxes_of_the_classes_that_occur() -> None:
    truth = np.array([[0, 10, 10, 50, 90], [2, 60, 10, 90, 90]], np.float64)
    examples = Examples("drawn", lambda: iter([Example(np.zeros((100, 100, 3), np.uint8), truth)] * 20))
    both = [[10, 10, 50, 90, 0.9, 0], [60, 10, 90, 90, 0.8, 2], [0, 0, 40, 40, 0.99, 1]]
    half = [[10, 10, 50, 90, 0.9, 0], [60, 10, 75, 50, 0.8, 2]]
    networks: Any = [Scripted([both] * 20), Scripted([half] * 20), Scripted([[]] * 20)]
    measured = verification.accuracy(examples, networks, 96)
    assert measured.values == pytest.approx((1.0, 0.5, 0.0), abs=0.001)
    assert (measured.metric, measured.images, measured.objects) == ("mAP50", 20, 40)
    few = Examples("drawn", lambda: iter([Example(np.zeros((9, 9, 3), np.uint8), truth)] * 19))
    with pytest.raises(ModelError, match="expected at least 20 labelled images"):
        verification.accuracy(few, [networks[0].__class__([both] * 19)], 96)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs the public data in {SHARED}")
def test_a_detector_in_int8_finds_the_same_people_in_every_shape(tmp_path: Path) -> None:
    weights, sources = resolve("person"), datasets.Sources.under(SHARED)
    people = [(image, boxes) for _, image, boxes in datasets.labelled(sources.data / "pennfudan")]
    path = conversion.convert(
        weights, Form("openvino", "int8"), 320, "cpu", 1, [image for image, _ in people[:12]], tmp_path
    )
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    assert (path / "network.bin").stat().st_size < 4.5e6  # a byte per weight of the convolutions
    examples = Examples(
        "pennfudan", lambda: (Example(i, np.column_stack([b[:, :1] * 0, b[:, 1:]])) for i, b in people[60:84])
    )
    networks = [Network(weights.path, Form("torch"), "cpu"), Network(path, Form("openvino", "int8"), "cpu")]
    before, after = verification.accuracy(examples, networks, 320).values
    assert before > 0.8
    assert after > before - 0.03  # 24 images: one box is more than a point
    tall = cv2.resize(people[0][0], (200, 420))
    assert len(networks[1].boxes([tall], 320, 0.25)[0]) > 0
