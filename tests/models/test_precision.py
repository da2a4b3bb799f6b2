from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import made_networks
import numpy as np
import openvino
import pytest
import torch

from models.appearance.inference import Embedder
from models.devices import Classifier, Detector, Device
from models.errors import ModelError
from models.exports import conversion
from models.exports.selection import plain_openvino
from models.registry import Weights, resolve
from models.runtimes import openvino_network
from models.runtimes.forms import PRECISIONS, Form, cpu_capabilities
from models.runtimes.network import Network
from models.runtimes.openvino_network import OpenVinoNetwork, compile_model

ROOT = Path(__file__).parents[2]
SIDE = 64
REDUCED = {"bf16", "f16"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    path = tmp_path_factory.mktemp("weights") / "net.pt"
    made_networks.classifier(path)
    return resolve(str(path))


def xml(folder: Path) -> Path:
    return next(folder.glob("*.xml"))


@pytest.mark.parametrize("name", [str(Form(name, p)) for name, every in PRECISIONS.items() for p in every])
def test_a_form_is_read_from_its_name(name: str) -> None:
    assert str(Form.parse(name)) == name


def test_a_format_alone_means_f32() -> None:
    assert [str(Form.parse(name)) for name in PRECISIONS] == [f"{name}-f32" for name in PRECISIONS]


def test_what_is_compiled_for_f32_computes_in_f32_on_every_processor(weights: Weights) -> None:
    compiled = compile_model(xml(plain_openvino(weights)), "f32")
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
    operations = compiled.get_runtime_model().get_ops()
    precisions = {str(op.get_rt_info()["runtimePrecision"].value) for op in operations}
    assert "f32" in precisions
    assert not precisions & REDUCED


SCRIPT = """
import json, sys
import made_networks
import numpy as np
from models.devices import Classifier, Device
from models.registry import resolve
from models.exports.selection import plain_openvino
from models.runtimes.openvino_network import compile_model

weights = resolve(sys.argv[1])
compiled = compile_model(next(plain_openvino(weights).glob("*.xml")), "f32")
crops = list(made_networks.pictures(6, 64, seed=7))
answers = {
    form: Classifier(weights, Device("cpu", runtime=form), 64)(crops).tolist()
    for form in ("openvino-f32", "torch-f32")
}
print(json.dumps([compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(), answers]))
"""


def answers_under(weights: Weights, **environment: str) -> tuple[str, dict[str, np.ndarray]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(weights.path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'models'}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    precision, answers = json.loads(done.stdout)
    return precision, {form: np.array(rows) for form, rows in answers.items()}


@pytest.mark.parametrize(
    "environment",
    [
        {
            "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
            "DNNL_DEFAULT_FPMATH_MODE": "BF16",
            "NVIDIA_TF32_OVERRIDE": "1",
        },
        {"ONEDNN_MAX_CPU_ISA": "SSE41"},
        {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    ],
)
def test_the_answers_do_not_depend_on_the_instructions_that_compute_them(
    weights: Weights, environment: dict[str, str]
) -> None:
    # f32 has 24 bits; sums in another order differ by some 1e-6 in a probability. bf16 has 8 bits and
    # would differ by some 1e-2.
    usual, expected = answers_under(weights)
    precision, found = answers_under(weights, **environment)
    assert usual == precision == "f32"
    assert np.ptp(expected["openvino-f32"], axis=0).max() > 0.2
    for form in expected:
        assert found[form] == pytest.approx(expected[form], abs=1e-4), form


def test_a_processor_that_computes_in_less_than_asked_is_an_error(
    weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []

    class Core:
        def compile_model(self, model: Any, device: str, config: dict[str, str]) -> Any:
            asked.append(config)
            return SimpleNamespace(get_property=lambda _: openvino.Type.bf16)

    monkeypatch.setattr(openvino_network, "openvino_core", Core)
    with pytest.raises(ModelError, match=r"expected OpenVINO to compute in f32 .*, it would compute in bf16"):
        compile_model(Path("net.xml"), "f32")
    assert asked[0]["INFERENCE_PRECISION_HINT"] == "f32"


@pytest.mark.parametrize(("precision", "capability"), [("bf16", "BF16"), ("f16", "FP16")])
def test_a_precision_that_the_processor_lacks_is_refused(
    weights: Weights, precision: str, capability: str
) -> None:
    if capability in cpu_capabilities():
        pytest.skip(f"this CPU has {capability}")
    with pytest.raises(
        ModelError, match=f"it needs a CPU with {capability} arithmetic, and OpenVINO lists .*FP32"
    ):
        conversion.refuse(Form("openvino", precision), "cpu")
    with pytest.raises(ModelError, match=f"got openvino-{precision}: it needs a CPU with {capability}"):
        Classifier(weights, Device("cpu", runtime=f"openvino-{precision}"), SIDE)
    with pytest.raises(ModelError, match=r"it would compute in (f32|bf16)"):
        compile_model(xml(plain_openvino(weights)), precision)


@pytest.mark.parametrize(("precision", "capability"), [("bf16", "BF16"), ("f16", "FP16")])
def test_a_reduced_precision_runs_where_the_processor_has_it(
    weights: Weights, precision: str, capability: str
) -> None:
    if capability not in cpu_capabilities():
        pytest.skip(f"needs a CPU with {capability} instructions")
    folder = plain_openvino(weights)
    compiled = compile_model(xml(folder), precision)
    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == precision
    crops = list(made_networks.pictures(6, SIDE, seed=7))
    exact = Network(folder, Form("openvino", "f32"), "cpu").probabilities(crops, SIDE)
    reduced = Network(folder, Form("openvino", precision), "cpu").probabilities(crops, SIDE)
    assert reduced == pytest.approx(exact, abs=0.1)  # 8 bits of bf16, over some 50 layers
    assert not np.array_equal(reduced, exact)


def test_a_file_of_another_precision_is_refused(weights: Weights) -> None:
    with pytest.raises(
        ModelError, match=r"expected a network of precision int8 in .*, got one that is not quan"
    ):
        Network(plain_openvino(weights), Form("openvino", "int8"), "cpu")


def test_torch_is_kept_from_tf32_and_bf16(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        Network(weights.path, Form("torch", "f32"), "cpu")
        assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "highest"
    finally:
        torch.set_float32_matmul_precision(before)
    assert os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] == "STRICT"
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


def test_torch_in_f16_on_a_cpu_is_refused(weights: Weights) -> None:
    with pytest.raises(ModelError, match="got torch-f16: it needs a CUDA GPU"):
        Classifier(weights, Device("cpu", runtime="torch-f16"), SIDE)


def test_every_network_names_the_form_in_which_it_runs() -> None:
    assert Detector(resolve("person"), Device("cpu"), 320, 0.25, None).weights.runtime == "openvino-f32"
    exact = Embedder(resolve("appearance"), Device("cpu"))
    assert exact.weights.runtime == "openvino-f32"
    assert exact.weights.sha256 == resolve("appearance").sha256
    reference = Embedder(resolve("appearance"), Device("cpu", runtime="torch"))
    assert reference.weights.runtime == "torch-f32"
    crops = np.stack([cv2.resize(made, (64, 128)) for made in made_networks.pictures(4, 64)])
    # Unit vectors; OpenVINO folds the batch norms into weights that it keeps in 16 bits.
    assert exact(crops) == pytest.approx(reference(crops), abs=2e-3)


def test_a_quantised_network_of_fixed_shapes_answers_as_one_of_dynamic_shapes(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = Form("openvino", "int8")
    frames = list(made_networks.pictures(12, SIDE, seed=5))
    path = conversion.convert(weights, form, SIDE, "cpu", 1, frames, tmp_path)
    dynamic = OpenVinoNetwork(path, "int8")
    monkeypatch.setattr(openvino_network, "_has_amx_int8", lambda: True)
    monkeypatch.setattr(openvino_network, "MAX_COMPILED_SHAPES", 2)
    fixed = OpenVinoNetwork(path, "int8")
    for side in (64, 96, 128, 64):
        pixels = made_networks.pictures(2, side, seed=side)
        # The rounding of quantised values to 256 steps follows the order of sums at its borders.
        assert fixed(pixels) == pytest.approx(dynamic(pixels), abs=0.02)
