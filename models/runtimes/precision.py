"""Keep libraries from computing f32 networks in less: bf16 on some CPUs, TF32 on NVIDIA GPUs.

OpenVINO is told per model, see `openvino_network`; here are the settings that hold for a whole process.
"""

from __future__ import annotations

import os


def set_environment() -> None:
    """Set the variables that oneDNN (in torch on a CPU) and NVIDIA's libraries read when they start.

    They replace what the user's environment says: the precision of a network is the one in its records.
    """
    os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "STRICT"
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # cuBLAS, cuDNN and TensorRT, in torch and in ONNX Runtime


def forbid_tf32() -> None:
    """Make torch compute f32 in full; by default it allows TF32 in convolutions on a GPU."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
