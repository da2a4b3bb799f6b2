from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.appearance import network
from models.appearance.cropping import cut
from models.appearance.sizes import HEIGHT, WIDTH
from models.devices import Device
from models.errors import ModelError
from models.registry import FOLDER, resolve
from vision.appearance import AppearanceReader


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "untrained.pt"
    torch.manual_seed(0)
    network.save(network.AppearanceNet(), path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAZARETTO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)


def test_the_embedding_of_a_person_does_not_depend_on_the_batch(untrained: Path, image: np.ndarray) -> None:
    reader = AppearanceReader(resolve(str(untrained)), Device("cpu"))
    boxes = [np.array([20.0 * n, 10, 20 * n + 40, 110]) for n in range(11)]
    embeddings = reader.read([(image, box) for box in boxes])
    assert embeddings.shape == (11, reader.dimension) and embeddings.dtype == np.float32
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-4)
    assert np.allclose(reader.read([(image, boxes[7])])[0], embeddings[7], atol=1e-4)
    assert reader.read([]).shape == (0, reader.dimension)


def test_the_exported_network_gives_the_embeddings_of_the_weights(untrained: Path, image: np.ndarray) -> None:
    box = np.array([30.0, 10, 90, 200])
    [embedding] = AppearanceReader(resolve(str(untrained)), Device("cpu")).read([(image, box)])
    with torch.no_grad():
        expected = network.load(untrained)(torch.from_numpy(cut(image, box)[None]))[0].numpy()
    assert np.allclose(embedding, expected, atol=2e-3)


@pytest.mark.parametrize(
    "box",
    [(-50, -50, 30, 60), (300, 200, 400, 400), (500, 500, 600, 700), (10, 10, 10, 10), (0, 0, 320, 240)],
)
def test_a_box_at_or_beyond_the_edge_is_cut_to_the_image(box: tuple[float, ...], image: np.ndarray) -> None:
    assert cut(image, np.array(box, float)).shape == (HEIGHT, WIDTH, 3)


def test_weights_of_another_kind_are_refused_without_being_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected weights of an appearance network"):
        AppearanceReader(resolve(str(FOLDER / "person.pt")), Device("cpu"))
    torch.save({"format": "something else", "state": {}}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="expected weights of format lazaretto-appearance-1"):
        AppearanceReader(resolve(str(tmp_path / "other.pt")), Device("cpu"))
