from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import datasets, training
from models.errors import ModelError
from models.offline import yolo

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
needs_shared = pytest.mark.skipif(
    not (SHARED / "weights").is_dir(),
    reason="the initialisations and training data are not beside this checkout",
)


def test_unknown_recipes_and_missing_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="among person, face, mask, appearance, got 'dog'"):
        training.recipe("dog")
    for name in ("person", "face", "mask"):
        with pytest.raises(ModelError, match=r"expected a folder data/ below"):
            training.train(name, tmp_path, tmp_path / "runs")


def test_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    writer = datasets.SetWriter(tmp_path, ["a", "b"])
    boxes = np.array([[0, 10, 20, 30, 60], [1, 0, 0, 64, 48]], dtype=float)
    writer.add("val", "one", np.zeros((96, 128, 3), np.uint8), boxes)
    assert datasets.built(tmp_path) is None, "a set is not built before it is finished"
    writer.finish({})
    [(name, image, read)] = list(datasets.labelled(tmp_path, "val"))
    assert (name, image.shape) == ("one", (96, 128, 3))
    assert np.allclose(read, boxes, atol=1e-3)
    assert datasets.built(tmp_path) == tmp_path / "data.yaml"


@needs_shared
def test_the_person_detector_starts_with_the_answers_of_its_initialisation() -> None:
    import torch

    initial = SHARED / "weights" / training.RECIPES["person"].init
    grafted = training.graft(initial, training.RECIPES["person"]).float().eval()
    source = yolo(initial).model.float().eval()
    image = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        ours, theirs = grafted(image)[0], source(image)[0]
    assert ours.shape[1] == 5
    assert torch.allclose(ours[:, :4], theirs[:, :4], atol=1e-4), "boxes"
    assert torch.allclose(ours[:, 4], theirs[:, 4], atol=1e-5), "the person class"


@needs_shared
@pytest.mark.parametrize("name", ["face", "person"])
def test_blended_weights_lie_between_training_and_initialisation(tmp_path: Path, name: str) -> None:
    import torch

    recipe = replace(training.RECIPES[name], keep=0.25)
    initial = SHARED / "weights" / recipe.init
    content = torch.load(initial, map_location="cpu", weights_only=False)
    grafted = recipe.head_class is not None
    moved = training.graft(initial, recipe) if grafted else content["model"].float()
    start = {key: value.detach().clone() for key, value in moved.named_parameters()}
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(1.0)
    torch.save({**content, "model": moved, "ema": None}, tmp_path / "moved.pt")
    training.blend(tmp_path / "moved.pt", initial, recipe, tmp_path / "mixed.pt")
    mixed = torch.load(tmp_path / "mixed.pt", map_location="cpu", weights_only=False)["model"].float()
    for key, parameter in mixed.named_parameters():
        assert torch.allclose(parameter, start[key] + 0.75, atol=0.05), key  # kept in half precision


@needs_shared
def test_an_initialisation_of_another_architecture_is_refused() -> None:
    with pytest.raises(ModelError, match=r"does not fit yolo11n.yaml"):
        training.graft(SHARED / "weights" / "yolov8n_deq.pt", training.RECIPES["person"])


TINY = """
import sys, numpy as np
from dataclasses import replace
from pathlib import Path
from models import datasets, training

def build(folder, sources):
    writer = datasets.SetWriter(folder, ["person"])
    rng = np.random.default_rng(0)
    for number in range(16):
        image = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
        writer.add("val" if number % 4 == 0 else "train", f"{number}", image, np.array([[0, 8, 8, 40, 60.0]]))
    return writer.finish({})

tiny = replace(training.RECIPES["person"], build=build)
training.RECIPES["tiny"] = replace(tiny, settings={**tiny.settings, "epochs": 6, "imgsz": 64})
print(training.train("tiny", Path(sys.argv[1]), Path(sys.argv[2])))
"""


@needs_shared
def test_a_killed_training_resumes_after_its_last_epoch(tmp_path: Path) -> None:
    script = tmp_path / "tiny.py"
    script.write_text(TINY)
    command = [sys.executable, str(script), str(SHARED), str(tmp_path / "runs")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    folder = tmp_path / "runs" / "tiny"
    results = folder / "run" / "results.csv"
    first = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and first.poll() is None:
        if results.is_file() and len(results.read_text().splitlines()) >= 3:
            first.send_signal(signal.SIGKILL)
        time.sleep(0.05)
    assert first.wait() == -signal.SIGKILL, "it ended before it could be killed"
    done = len(results.read_text().splitlines()) - 1
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)
    epochs = [int(float(line.split(",")[0])) for line in results.read_text().splitlines()[1:]]
    # A kill between an epoch's line and its checkpoint costs that epoch, which is then run again.
    assert 2 <= done < 6 and sorted(set(epochs)) == [1, 2, 3, 4, 5, 6]
    assert epochs == sorted(epochs) and len(epochs) <= 7
    assert json.loads((folder / "finished.json").read_text())["seed"] == 0
    before = (folder / "run" / "weights" / "best.pt").stat().st_mtime_ns
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)
    assert (folder / "run" / "weights" / "best.pt").stat().st_mtime_ns == before, "finished stays finished"
