"""Write docs/defaults.md: every value that this project chose, taken from the code that uses it.

    python tools/defaults_table.py > docs/defaults.md

A module-level constant counts as a default of the project where the docstring below it names
docs/defaults.md. The thresholds of the rules are the fields of `zones.thresholds.Rules`, with their
descriptions. A test holds the page to the code.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("zones", "models", "vision", "incidents", "pipelines", "evaluation", "review", "cli")
MARK = "docs/defaults.md"

HEAD = """\
# Defaults of this project

Every value below was chosen for this project. None of them is law, and none is a figure of a standard. The
first table holds what a facility file may change, under `rules:`; each value that a rule used is stored with
every incident that it raised. The second table holds constants of the program.

Written from the code by `python tools/defaults_table.py > docs/defaults.md`; a test holds this page to it.
"""


def thresholds() -> Iterator[tuple[str, str, str]]:
    """Field path, default and meaning of every threshold that a facility file may change."""
    from pydantic import BaseModel

    from zones.thresholds import Rules

    def fields(model: type[BaseModel], path: str) -> Iterator[tuple[str, str, str]]:
        for name, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from fields(kind, f"{path}{name}.")
            elif field.description:
                yield f"{path}{name}", _value(repr(field.default)), field.description

    return fields(Rules, "rules.")


def constants() -> Iterator[tuple[str, str, str]]:
    """Qualified name, value as written, and meaning of every constant whose docstring names this page."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            body = ast.parse(path.read_text("utf-8")).body
            for statement, below in pairwise(body):
                if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)):
                    continue
                text = below.value.value
                if not isinstance(text, str) or MARK not in text:
                    continue
                for name, value in _assigned(statement):
                    yield f"{module}.{name}", _value(value), _meaning(text)


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Names and values of an assignment; `A, B = 1, 2` gives both."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield ast.unparse(statement.target), ast.unparse(statement.value)
    elif isinstance(statement, ast.Assign):
        [target] = statement.targets
        if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
            for name, value in zip(target.elts, statement.value.elts, strict=True):
                yield ast.unparse(name), ast.unparse(value)
        else:
            yield ast.unparse(target), ast.unparse(statement.value)


def _value(text: str) -> str:
    return " ".join(text.split()).replace("_", r"\_").replace("|", r"\|").replace("*", r"\*")


def _meaning(text: str) -> str:
    """The docstring in one line, without the remark that points here."""
    line = " ".join(text.split())
    for remark in (f"Project default ({MARK}).", f"Project default, see {MARK}.", f"({MARK})"):
        line = line.replace(remark, "")
    return " ".join(line.split()).replace("|", r"\|")


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for title, first, rows in (
        ("Thresholds of the rules", "field", list(thresholds())),
        ("Constants", "constant", list(constants())),
    ):
        lines = [f"| `{name}` | {value} | {meaning} |" for name, value, meaning in rows]
        parts.append(
            f"## {title}\n\n| {first} | value | meaning |\n|---|---|---|\n" + "\n".join(lines) + "\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.stdout.write(page())
