from __future__ import annotations

from pathlib import Path

import cv2
import made_networks
import numpy as np
import pytest
import torch

from models.devices import Classifier, Detector, Device, PoseDetector
from models.errors import ModelError
from models.exports.selection import plain_openvino
from models.offline import yolo
from models.registry import resolve

ROOT = Path(__file__).parents[2]
FACE = ROOT.parent / "shared" / "weights" / "yolov8n-face_deq.pt"
SCENE = ROOT / "data" / "keyframe.jpg"
needs_face = pytest.mark.skipif(not FACE.is_file(), reason=f"needs the face detector {FACE}")


def picture(width: int, height: int) -> np.ndarray:
    image = cv2.imread(str(SCENE))
    assert image is not None
    return cv2.resize(image, (width, height))


@pytest.mark.parametrize("flag", ["gpu", "cuda:x", "cpu:0", "", "auto:1", "mps"])
def test_an_unknown_device_is_refused(flag: str) -> None:
    with pytest.raises(ModelError, match="expected a device among auto, cpu, cuda, cuda:N"):
        Device.choose(flag)


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert str(Device.choose("auto")) == ("cuda:0" if torch.cuda.is_available() else "cpu")


def test_a_gpu_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ModelError, match="expected a CUDA GPU number 99, found"):
        Device.choose("cuda:99")


@pytest.mark.parametrize("imgsz", [0, 100, -32])
def test_sizes_that_the_network_cannot_take_are_refused(imgsz: int) -> None:
    with pytest.raises(ModelError, match="multiple of 32"):
        Detector(resolve("person"), Device("cpu"), imgsz, 0.25, None)


def test_a_blank_image_has_no_boxes_and_no_image_no_result() -> None:
    predict = Detector(resolve("person"), Device("cpu"), 320, 0.25, None)
    assert predict.classes == ("person",)
    assert [rows.shape for rows in predict([np.zeros((240, 320, 3), np.uint8)])] == [(0, 6)]
    assert predict([]) == []


def test_boxes_are_those_of_ultralytics_for_every_image_shape() -> None:
    predict = Detector(resolve("person"), Device("cpu"), 416, 0.1, None)
    reference = yolo(resolve("person").path)  # torch: ultralytics' OpenVINO may compute in bf16
    counts = []
    for width, height in ((768, 576), (333, 500), (97, 640), (31, 33), (800, 20)):
        image = picture(width, height)
        expected = reference.predict(image, imgsz=416, conf=0.1, verbose=False)[0].boxes.data.numpy()
        # px and scores in f32 by two runtimes, which order sums differently.
        assert predict([image])[0] == pytest.approx(expected, abs=1e-2)
        counts.append(len(expected))
    assert max(counts) >= 3


def test_images_of_several_shapes_go_in_one_call() -> None:
    predict = Detector(resolve("person"), Device("cpu"), 416, 0.3, None)
    images = [picture(768, 576), picture(700, 600), picture(800, 500)]
    together, alone = predict(images), [predict([image])[0] for image in images]
    for rows, expected in zip(together, alone, strict=True):
        # Wider borders move a box by a few pixels; a box of another picture would lie elsewhere.
        sure = expected[expected[:, 4] > 0.5]
        assert len(sure) >= 1
        for box in sure[:, :4]:
            assert np.abs(rows[:, :4] - box).max(axis=1).min() < 12


@needs_face
def test_faces_come_with_their_landmarks_as_ultralytics_finds_them() -> None:
    faces = sorted((ROOT.parent / "shared/data/face_mask/images/val").iterdir())[:4]
    detect_faces = PoseDetector(resolve(str(FACE)), Device("cpu"), 192, 0.25)
    reference = yolo(FACE, "pose")
    for path in faces:
        image = cv2.imread(str(path))
        expected = reference.predict(image, imgsz=192, conf=0.25, verbose=False)[0]
        found = detect_faces([image])[0]
        assert len(found.boxes) > 0
        assert found.boxes == pytest.approx(expected.boxes.data.numpy()[:, :5], abs=1e-3)
        assert found.keypoints == pytest.approx(expected.keypoints.data.numpy(), abs=1e-3)
    blank = detect_faces([np.zeros((50, 60, 3), np.uint8)])[0]
    assert (blank.boxes.shape, blank.keypoints.shape) == ((0, 5), (0, 5, 3))
    assert detect_faces([]) == []


def test_a_classifier_gives_the_probabilities_of_its_network(tmp_path: Path) -> None:
    net = made_networks.classifier(tmp_path / "net.pt")
    crops = made_networks.pictures(5, 64)
    with torch.no_grad():
        output = net(made_networks.as_input(crops))
    expected = (output[0] if isinstance(output, tuple) else output).numpy()
    classify = Classifier(resolve(str(tmp_path / "net.pt")), Device("cpu"), 64)
    assert classify.classes == made_networks.CLASSES
    found = classify(list(crops))
    assert found.dtype == np.float32
    # Probabilities in f32 by two runtimes, which order sums differently.
    assert found == pytest.approx(expected, abs=1e-4)
    assert (
        np.ptp(found, axis=0).max() > 0.2
    )  # the images differ in their answers: equal ones would prove nothing
    enlarged = [crop.repeat(2, 0).repeat(2, 1) for crop in crops]
    assert classify(enlarged) == pytest.approx(found, abs=1e-3)
    assert classify([]).shape == (0, 4)
    with pytest.raises(ModelError, match="expected a square crop, got 64 x 63 px"):
        classify([crops[0][:63]])


def test_weights_of_another_kind_are_refused() -> None:
    with pytest.raises(ModelError, match="person: expected weights of the kind pose, got detect"):
        PoseDetector(resolve("person"), Device("cpu"), 192, 0.25)
    with pytest.raises(ModelError, match="person: expected weights of the kind classify, got detect"):
        Classifier(resolve("person"), Device("cpu"), 96)


def test_the_plain_export_is_made_once_and_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    made = plain_openvino(resolve("person"))
    first = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    assert plain_openvino(resolve("person")) == made
    assert {path: path.stat().st_mtime_ns for path in made.iterdir()} == first
    assert sorted(path.name for path in made.parent.iterdir()) == [made.name, "sha256"]
    assert [path.name for path in made.parent.parent.iterdir()] == ["openvino-f32"]
    [network] = made.glob("*.bin")
    content = bytearray(network.read_bytes())
    content[1000] ^= 1
    network.write_bytes(content)
    with pytest.raises(ModelError, match="is not the one made from person: expected SHA-256"):
        Detector(resolve("person"), Device("cpu"), 320, 0.25, None)


def test_a_cache_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match="cannot export person below"):
        plain_openvino(resolve("person"))
