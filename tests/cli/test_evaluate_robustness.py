"""`evaluate degradation` and `evaluate forms`: what a detector loses in bad light, and in another form."""

from __future__ import annotations

from pathlib import Path

import cv2

from models.registry import FOLDER, sha256
from tests.footage import picture
from tests.running import YARD, lazaretto, one_sentence
from vision.sources.files import open_source
from vision.sources.gaps import Gap


def test_degraded_pictures_are_measured_beside_the_clean_ones(tmp_path: Path) -> None:
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    frame = next(f for f in open_source(YARD, "yard", 0).frames() if not isinstance(f, Gap))
    cv2.imwrite(str(tmp_path / "images" / "yard.png"), frame.image)
    (tmp_path / "labels" / "yard.txt").write_text("0 0.5 0.5 0.1 0.2\n")
    cv2.imwrite(str(tmp_path / "images" / "plain.png"), picture(1, 320, 240))
    how = (
        *("evaluate", "degradation", tmp_path / "images", "--labels", tmp_path / "labels"),
        *("--names", "person", "--imgsz", "160", "--resamples", "20", "--device", "cpu"),
    )
    ran = lazaretto(*how, "--kinds", "drops,dark", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["weights"]["detection"]["sha256"] == sha256(FOLDER / "person.pt")
    assert list(ran.json["figures"]) == ["clean", "drops", "dark"]
    assert ran.json["counts"] == {"images": 2, "objects": 1}
    again = lazaretto(*how, "--kinds", "drops,dark", "--json")
    assert again.out == ran.out, "the same seed, the same figures"
    assert "infrared" in lazaretto(*how).out
    wrong = lazaretto(*how, "--kinds", "fog")
    assert wrong.code != 0 and "got 'fog'" in one_sentence(wrong)


def test_a_form_that_was_not_exported_is_named() -> None:
    ran = lazaretto("evaluate", "forms", YARD, "--runtime", "onnx-int8")
    assert ran.code != 0 and "onnx-int8" in one_sentence(ran)
