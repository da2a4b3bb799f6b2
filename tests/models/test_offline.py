from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
import models
import openvino
import nncf
from openvino.tools.ovc import telemetry
assert "stub" in type(telemetry).__module__, type(telemetry)
print("silent", sys.modules["openvino_telemetry"])
"""


def test_openvino_and_nncf_send_no_telemetry(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "silent None", done.stderr
    assert not (tmp_path / "intel").exists()  # where the reporting package keeps the user's id
