"""The reference of the facility file says what the code reads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from zones.facility import Facility, Rules, load_facility

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "facility-file.md").read_text("utf-8")


def test_the_page_is_what_the_code_gives() -> None:
    written = subprocess.run(
        [sys.executable, ROOT / "tools" / "facility_reference.py"],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout.decode("utf-8")
    assert written == PAGE, "run: python tools/facility_reference.py > docs/facility-file.md"


def test_every_field_of_the_file_is_on_the_page() -> None:
    models, met = [Facility], set()
    while models:
        model = models.pop()
        if model in met or model is Rules:  # Thresholds stand in docs/defaults.md.
            continue
        met.add(model)
        rows = "".join(
            rf"\| `{re.escape(field.alias or name)}` \| .+\n" for name, field in model.model_fields.items()
        )
        assert re.search(rf"^{rows}$", PAGE, re.MULTILINE), f"the fields of {model.__name__}"
        models += [one for field in model.model_fields.values() for one in models_in(field.annotation)]
    assert len(met) > 10


def models_in(kind: Any) -> list[type[BaseModel]]:
    """The models that the type of a field is made of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [one for part in get_args(kind) for one in models_in(part)]


def test_every_field_has_a_meaning() -> None:
    rows = re.findall(r"^\| `\w+` \| .+$", PAGE, re.MULTILINE)
    assert len(rows) > 60
    assert all(row.rstrip(" |").rpartition("|")[2].strip() for row in rows)


@pytest.mark.parametrize("example", re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
def test_the_examples_are_valid(example: str, tmp_path: Path) -> None:
    schedules = 'schedules:\n  meals: [{from: "06:30", to: "07:30"}]\n'
    zone = "      - {id: z, type: common, polygon: [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]}\n"
    if example.startswith("schedules:"):
        schedules = example
    else:
        indented = "".join(f"        {line}\n" for line in example.splitlines())
        fields = "- id: z\n        type: common\n        polygon: [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]"
        zone = f"      {fields}\n{indented}"
    file = tmp_path / "facility.yaml"
    file.write_text(
        "schema: 2\nfacility: {code: T-1, name: Test, managing_body: Test}\n"
        f"{schedules}cameras:\n  - id: c\n    places: [yard]\n    zones:\n{zone}"
    )
    assert load_facility(file).cameras[0].zones[0].id == "z"
