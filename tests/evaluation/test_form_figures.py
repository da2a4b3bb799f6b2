from __future__ import annotations

from pathlib import Path

import av
import pytest

from evaluation.formats import TruthError
from evaluation.forms import AGREEMENT, OTHER, PLAIN, FormsRequest, evaluate_forms, idf1_loss
from evaluation.setup import PerceptionRequest
from tests.footage import picture
from tests.running import YARD


def write(path: Path, frames: list[object]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 5)
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def test_the_same_network_in_two_forms_gives_the_same_tracks(tmp_path: Path) -> None:
    with av.open(str(YARD)) as container:
        frames = [
            f.to_ndarray(format="bgr24") for _, f in zip(range(24), container.decode(video=0), strict=False)
        ]
    video = write(tmp_path / "day.mp4", frames[::2])
    request = FormsRequest(video, "torch-f32", perception=PerceptionRequest(imgsz=320), resamples=20)
    found = evaluate_forms(request)
    assert list(found.accuracy) == [AGREEMENT]
    assert found.accuracy[AGREEMENT].truth >= 10, "boxes of the plain form"
    assert found.accuracy[AGREEMENT].estimates["idf1"].value == pytest.approx(1.0, abs=0.01)
    assert found.report.weights["plain"].runtime.startswith("openvino-f32")
    assert found.report.weights["other"].runtime == "torch-f32"
    assert idf1_loss(found.accuracy) == pytest.approx(0.0, abs=0.01)
    truth = tmp_path / "truth.txt"
    truth.write_text("1,1,10,10,20,60,1,1,1\n")
    both = evaluate_forms(FormsRequest(video, "torch", truth, request.perception, resamples=20))
    assert list(both.accuracy) == [AGREEMENT, PLAIN, OTHER]
    assert both.accuracy[PLAIN].truth == both.accuracy[OTHER].truth == 1
    assert idf1_loss(both.accuracy) == 0.0, "both forms miss the only true box"


def test_footage_without_persons_cannot_be_compared(tmp_path: Path) -> None:
    video = write(tmp_path / "empty.mp4", [picture(0, 768, 576)] * 4)
    with pytest.raises(TruthError, match=r"empty.mp4: expected footage with persons to track"):
        evaluate_forms(FormsRequest(video, "torch-f32", perception=PerceptionRequest(imgsz=160)))
