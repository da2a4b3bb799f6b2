"""OpenVINO in a program that is interrupted."""

from __future__ import annotations

import subprocess
import sys

# OpenVINO gives the thread that loads it a stack for signal handlers, which another thread may free.
PROGRAM = """
import faulthandler, signal, threading
faulthandler.enable()
import numpy as np, openvino
from openvino import opset13 as ops
from models.runtimes.openvino_network import compile_model

parameter = ops.parameter([1, 3, 8, 8], np.float32)
networks = [compile_model(openvino.Model([ops.relu(parameter)], [parameter], "relu"), "f32")]
networks[0](np.zeros((1, 3, 8, 8), np.float32))
releasing = threading.Thread(target=networks.clear)
releasing.start()
releasing.join()
signal.signal(signal.SIGINT, lambda *_: print("interrupted"))
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_is_handled_after_another_thread_has_released_the_networks() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
