"""Labels on files, and models below a home, with a stand-in for the appearance network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from models.registry import Weights
from pipelines.home import Home
from pipelines.teaching.labels import Label, cut_labelled, read_labels, to_json
from pipelines.teaching.role_model import (
    find_role_model,
    labels_path,
    model_path,
    save_role_model,
    train_role_model,
)
from tests.observing import START, rows
from vision.frames import SECOND
from vision.observations import write_part
from vision.roles.crops import BodyCrop
from vision.roles.features import RoleFeatures
from vision.roles.model import RoleError, RoleModel
from zones.facility import Facility, Role, load_facility

COATS = {Role.STAFF_PPE: (240, 240, 240), Role.RESIDENT: (120, 40, 20)}
PLACES = {Role.STAFF_PPE: (20, 20, 60, 140), Role.RESIDENT: (120, 20, 160, 140)}


class MeanColour:
    """Stands in for the embedding network: the mean colour, as a unit vector."""

    dimension = 3
    weights = Weights("plain", Path("plain.pt"), "a" * 64, None, False)

    def read(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        means = np.array([image.reshape(-1, 3).mean(axis=0) + 1 for image, _ in people])
        return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds at ten frames per second, as images: a person in white and a person in navy."""
    folder = tmp_path_factory.mktemp("footage") / "20261124T080000"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for n in range(40):
        image = np.full((160, 200, 3), 128, np.uint8)
        for role, (x1, y1, x2, y2) in PLACES.items():
            cv2.rectangle(image, (x1, y1), (x2, y2), COATS[role], -1)
        cv2.imwrite(
            str(folder / f"{n:03d}.png"), cv2.add(image, noise.integers(0, 12, image.shape, np.uint8))
        )
    return folder


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Facility:
    file = tmp_path_factory.mktemp("site") / "facility.yaml"
    file.write_text(
        "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\n"
        "cameras:\n  - {id: yard, places: [yard]}\n"
    )
    return load_facility(file)


def labels_of(folder: Path, **more: object) -> list[dict[str, object]]:
    return [
        {
            "video": folder.name,
            "source_fps": 10,
            "track": f"{role.value}-{n // 10}",
            "role": role.value,
            "frame": n,
            "box": list(PLACES[role]),
            **more,
        }
        for role in PLACES
        for n in range(0, 40, 5)
    ]


def trained(found: Sequence[tuple[Label, BodyCrop]], facility: Facility) -> RoleModel:
    crops, roles = [crop for _, crop in found], [label.role for label, _ in found]
    return train_role_model(crops, roles, RoleFeatures(MeanColour()), facility)


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_model_trained_on_a_labels_file_is_found_in_the_home_folder(
    footage: Path, facility: Facility, tmp_path: Path
) -> None:
    file = write(footage.parent / "labels.json", labels_of(footage))
    found = cut_labelled(read_labels(file), file.parent, facility)
    assert len(found) == 16
    assert all(crop.frame == label.frame and crop.track == label.track for label, crop in found)
    model = train_role_model(
        [crop for _, crop in found], [label.role for label, _ in found], RoleFeatures(MeanColour()), facility
    )
    assert model.held_out.track_accuracy == 1.0 and model.facility == "T-1"
    home = Home(tmp_path)
    save_role_model(home, facility, model, [label for label, _ in found])
    weights = find_role_model(home, facility, "auto")
    assert weights is not None and weights.path == model_path(home, facility)
    assert read_labels(labels_path(home, facility)) == [label for label, _ in found]


def test_the_home_folder_keeps_only_coefficients_counts_and_labels(
    footage: Path, facility: Facility, tmp_path: Path
) -> None:
    labels = [Label.model_validate(row) for row in labels_of(footage)]
    model = trained(cut_labelled(labels, footage.parent, facility), facility)
    save_role_model(Home(tmp_path), facility, model, labels)
    kept, places = (json.loads(f(Home(tmp_path), facility).read_text()) for f in (model_path, labels_path))
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["T-1.json", "T-1.labels.json"]
    vectors = {name for name, value in kept.items() if isinstance(value, list)}
    assert vectors == {
        *("classes", "mean", "scale", "coefficients", "intercepts", "centres", "spread", "counts")
    }
    # Means are over the people of a role, at least two, so that no row belongs to one person.
    assert len(kept["centres"]) == len(kept["coefficients"]) == 2 < len({label.track for label in labels})
    assert set().union(*places) == {"video", "source_fps", "track", "role", "frame", "box"}


def test_labels_in_csv_with_times_equal_labels_in_json_with_frames(
    footage: Path, facility: Facility, tmp_path: Path
) -> None:
    lines = ["video,source_fps,track,role,time,x1,y1,x2,y2"]
    for label in map(Label.model_validate, labels_of(footage)):
        corners = ",".join(str(v) for v in label.box or ())
        lines.append(f"{footage},10,{label.track},{label.role},{(label.frame or 0) / 10},{corners}")
    timed = cut_labelled(read_labels(write(tmp_path / "labels.csv", "\n".join(lines))), tmp_path, facility)
    framed = cut_labelled([Label.model_validate(r) for r in labels_of(footage)], footage.parent, facility)
    by_place = lambda pair: (pair[1].frame, pair[1].track)  # noqa: E731
    for (_, one), (_, other) in zip(sorted(timed, key=by_place), sorted(framed, key=by_place), strict=True):
        assert np.array_equal(one.image, other.image) and one.track == other.track


def test_a_label_of_a_track_stands_for_its_logged_boxes(
    footage: Path, facility: Facility, tmp_path: Path
) -> None:
    x1, y1, x2, y2 = PLACES[Role.STAFF_PPE]
    table = rows([START + n * SECOND // 10 for n in range(40)]).with_columns(
        track=pl.lit(0xABC, pl.Int64),
        frame=pl.int_range(40, dtype=pl.Int64),
        **{n: pl.lit(v, pl.Float32) for n, v in (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2))},
    )
    write_part(tmp_path, table, "yard", START)
    label = Label(video=str(footage), track=f"{0xABC:016x}", role=Role.STAFF_PPE, source_fps=10)
    found = cut_labelled([label], tmp_path, facility, tmp_path)
    assert 4 <= len(found) <= 8
    assert found[-1][1].frame > 30 and found[0][1].box == (x1, y1, x2, y2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"role": "unknown"}, "label 1.*expected a role among"),
        ({"role": "king"}, "label 1 role"),
        ({"frame": None}, "label 1.*expected a frame or a time"),
        ({"box": None}, "label 1.*expected a box"),
        ({"box": [5, 5, 4, 90]}, "label 1.*at least 4 px"),
        ({"colour": "white"}, "label 1 colour"),
        ({"track": ""}, "label 1 track"),
    ],
)
def test_the_error_names_an_invalid_label(
    footage: Path, tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(RoleError, match=sentence):
        read_labels(write(tmp_path / "labels.json", labels_of(footage, **change)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"frame": 400}, "expected footage up to frame 400"),
        ({"box": [900, 10, 950, 90]}, "expected boxes inside the frame of 200 x 160 px"),
        ({"box": None, "frame": None}, "or a track of the observation log"),
    ],
)
def test_the_error_names_a_label_without_a_person(
    footage: Path, facility: Facility, tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    labels = [Label.model_validate(row) for row in labels_of(footage, **change)]
    with pytest.raises(RoleError, match=sentence):
        cut_labelled(labels, footage.parent, facility, tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", "[1]"])
def test_a_file_without_labels_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(RoleError, match=r"labels\.json"):
        read_labels(write(tmp_path / "labels.json", content))


def test_a_label_of_a_camera_with_an_aspect_ratio_is_cut_in_true_proportions(
    footage: Path, tmp_path: Path
) -> None:
    text = (
        "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\n"
        "cameras:\n  - {id: yard, places: [yard], aspect_ratio: 5:2}\n"
    )
    boxes = {role: (2 * x1, y1, 2 * x2, y2) for role, (x1, y1, x2, y2) in PLACES.items()}
    rows = [row | {"box": boxes[Role(str(row["role"]))]} for row in labels_of(footage, camera="yard")]
    found = cut_labelled(
        [Label.model_validate(row) for row in rows],
        footage.parent,
        load_facility(write(tmp_path / "f.yaml", text)),
    )
    assert len(found) == 16
    for label, crop in found:
        middle = crop.image[crop.image.shape[0] // 2, crop.image.shape[1] // 2].astype(int)
        assert np.abs(middle - COATS[label.role]).max() < 20


def test_labels_survive_their_file(footage: Path, tmp_path: Path) -> None:
    labels = [Label.model_validate(row) for row in labels_of(footage)]
    assert read_labels(write(tmp_path / "labels.json", to_json(labels))) == labels


def test_a_run_finds_the_model_of_its_facility_and_no_other(
    footage: Path, facility: Facility, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    assert find_role_model(home, facility, "auto") is None and find_role_model(home, facility, "none") is None
    with pytest.raises(RoleError, match="expected --roles auto, none, ppe or the file"):
        find_role_model(home, facility, "nothing.json")
    labels = [Label.model_validate(row) for row in labels_of(footage)]
    found = cut_labelled(labels, footage.parent, facility)
    model = trained(found, facility)
    path = save_role_model(home, facility, model.model_copy(update={"facility": "OTHER"}), labels)
    with pytest.raises(RoleError, match="expected the role model of facility T-1, got that of OTHER"):
        find_role_model(home, facility, "auto")
    path.write_text("{")
    with pytest.raises(RoleError, match=r"T-1\.json: expected a role model"):
        find_role_model(home, facility, "auto")
