from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.formats import TruthError, class_names, labelled_images, read_label, read_mot


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_mot_text_is_read_with_frames_from_zero(tmp_path: Path) -> None:
    tracks = read_mot(
        write(tmp_path / "gt.txt", "1,7,10,20,30,40,1,1,1\n\n 2 , 7 , 10.5,20,30,40\n3,8,0,0,5,5,1,1,1,\n")
    )
    assert tracks.frame.tolist() == [0, 1, 2] and tracks.track.tolist() == [7, 7, 8]
    assert tracks.boxes[:2].tolist() == [[10, 20, 40, 60], [10.5, 20, 40.5, 60]]
    assert not tracks.ignored.any()


def test_lines_to_be_ignored_are_told(tmp_path: Path) -> None:
    text = "1,1,0,0,9,9,0,1,1\n1,2,0,0,9,9,1,8,1\n1,3,0,0,9,9,1,1,1\n1,4,0,0,9,9,-1,-1,-1\n"
    assert read_mot(write(tmp_path / "gt.txt", text)).ignored.tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"expected boxes in MOT text .*, got none"),
        ("1,1,0,0,9,9\n1,1,0,0,9\n", r"line 2: expected MOT text .*, got 5 values"),
        ("1 1 0 0 9 9\n", r"line 1: expected MOT text .*, got 1 values"),
        ("frame,id,x,y,w,h\n", r"line 1: expected MOT text .*, got 'frame'"),
        ("1,1,nan,0,9,9\n", r"line 1: expected MOT text .*, got 'nan'"),
        ("0,1,0,0,9,9\n", r"line 1: frame: expected 1 or more, got 0"),
        ("1.5,1,0,0,9,9\n", r"line 1: frame: expected a whole number, got 1.5"),
        ("1,1,0,0,0,9\n", r"line 1: width: expected more than 0 px, got 0"),
        ("1,1,0,0,9,9\n\n1,1,5,5,9,9\n", r"line 3: expected one box of id 1 in frame 1, .* at line 1"),
        (b"\xff\xfe1", r"expected a text file in UTF-8"),
    ],
)
def test_a_fault_in_mot_text_is_one_sentence_with_its_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(TruthError, match=said):
        read_mot(write(tmp_path / "gt.txt", text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="No such file"):
        read_mot(tmp_path / "gt.txt")


boxes = st.tuples(
    st.integers(0, 1), *(st.floats(0.05, 0.5).map(lambda v: round(v, 6)) for _ in range(2)), st.just(0.1)
)


@settings(max_examples=30, deadline=None)
@given(st.lists(boxes, max_size=5))
def test_labels_are_boxes_in_pixels(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float, float, float]]
) -> None:
    path = tmp_path_factory.mktemp("labels") / "a.txt"
    path.write_text("".join(f"{k} {cx} {cy} {side} {side}\n" for k, cx, cy, side in rows))
    read = read_label(path, 200, 100, 2)
    expected = [
        ((cx - side / 2) * 200, (cy - side / 2) * 100, (cx + side / 2) * 200, (cy + side / 2) * 100, k)
        for k, cx, cy, side in rows
    ]
    np.testing.assert_allclose(read, np.array(expected).reshape(-1, 5))


def test_no_label_file_is_no_object(tmp_path: Path) -> None:
    assert read_label(tmp_path / "none.txt", 10, 10, 1).shape == (0, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 0.5 0.5 0.2\n", r"line 1: expected a label .*, got 4 values"),
        ("0 0.5 0.5 0.2 0.2\n0 .1 .1 .2 .1 .2 .2\n", r"line 2: expected 5 numbers .*outlines"),
        ("0 0.5 0.5 0.2 x\n", r"line 1: expected a label .*, got 'x'"),
        ("2 0.5 0.5 0.2 0.2\n", r"line 1: class: expected 0 to 1, got 2"),
        ("0.5 0.5 0.5 0.2 0.2\n", r"line 1: class: expected a whole number, got 0.5"),
        ("0 50 50 20 20\n", r"line 1: width: expected a share 0 to 1, got 20"),
        ("0 0.95 0.5 0.2 0.2\n", r"line 1: expected a box inside the image"),
        ("0 0.5 0.5 0 0.2\n", r"line 1: width: expected a share 0 to 1, got 0"),
    ],
)
def test_a_fault_in_labels_is_one_sentence_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TruthError, match=said):
        read_label(write(tmp_path / "a.txt", text), 100, 100, 2)


def test_images_are_found_with_their_labels_in_natural_order(tmp_path: Path) -> None:
    for name in ("b/frame10.jpg", "b/frame9.jpg", "a.png", "notes.txt"):
        write(tmp_path / "images" / name, "x")
    write(tmp_path / "labels" / "b" / "frame9.txt", "")
    found = labelled_images(tmp_path / "images", tmp_path / "labels")
    assert [str(item.path.relative_to(tmp_path / "images")) for item in found] == [
        "a.png",
        "b/frame9.jpg",
        "b/frame10.jpg",
    ]
    assert found[1].label == tmp_path / "labels" / "b" / "frame9.txt"


def test_folders_without_images_or_without_labels_are_refused(tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    with pytest.raises(TruthError, match="images: expected images, got none"):
        labelled_images(tmp_path / "images", tmp_path / "labels")
    write(tmp_path / "images" / "a.jpg", "x")
    with pytest.raises(TruthError, match=r"labels: expected label files such as a.txt, got none"):
        labelled_images(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(TruthError, match="expected a folder, got none"):
        labelled_images(tmp_path / "images", tmp_path / "lables")


def test_names_come_from_the_flag_or_from_a_file(tmp_path: Path) -> None:
    labels = tmp_path / "labels" / "test"
    labels.mkdir(parents=True)
    assert class_names(labels, "masked, unmasked") == ("masked", "unmasked")
    with pytest.raises(TruthError, match="expected the names of the classes"):
        class_names(labels, None)
    classes = write(tmp_path / "classes.txt", "person\nmask\n")
    assert class_names(labels, None) == ("person", "mask")
    assert class_names(labels, str(classes)) == ("person", "mask")
    data = write(tmp_path / "data.yaml", "path: .\nnames:\n  0: a\n  1: b\n")
    assert class_names(labels, str(data)) == ("a", "b")
    assert class_names(labels, str(write(tmp_path / "list.yaml", "names: [x, y]\n"))) == ("x", "y")


@pytest.mark.parametrize(
    ("given", "said"), [("a,,b", "expected names of classes"), ("a,a", "once, got 'a' twice")]
)
def test_names_that_name_nothing(tmp_path: Path, given: str, said: str) -> None:
    with pytest.raises(TruthError, match=said):
        class_names(tmp_path, given)


def test_a_data_file_without_names(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="names: expected a list, or a mapping"):
        class_names(tmp_path, str(write(tmp_path / "data.yaml", "names:\n  1: a\n")))
