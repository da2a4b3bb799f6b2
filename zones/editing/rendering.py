"""Values as YAML text in the style of a facility file that is written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Text that YAML 1.1 and 1.2 both read as text, even within brackets.
_PLAIN = re.compile(r"[^\W\d_](?:[\w ./()+-]*[\w./()+-])?")
_WORDS = frozenset({"y", "yes", "n", "no", "on", "off", "true", "false", "null", "none"})


def flow(value: Any, quoted: bool = False) -> str:
    """A value on one line; `quoted`, as JSON has it, where the text around it is JSON."""
    if isinstance(value, Mapping):
        pairs = (f"{flow(str(key), quoted)}: {flow(item, quoted)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(item, quoted) for item in value) + "]"
    if isinstance(value, str):
        return _text(value, quoted)
    return json.dumps(value)


def entry(key: str, value: Any) -> list[str]:
    """The lines of a key of a block and its value."""
    name = flow(key)
    if isinstance(value, Mapping) and value:
        return [f"{name}:", *("  " + line for line in block(value))]
    if isinstance(value, (list, tuple)) and value and not _fits(value):
        return [f"{name}:", *("  " + line for part in value for line in item(part))]
    return [f"{name}: {flow(value)}"]


def item(value: Any) -> list[str]:
    """The lines of an item of a block list, with its dash."""
    if isinstance(value, Mapping) and any(_nests(part) for part in value.values()):
        return [("- " if i == 0 else "  ") + line for i, line in enumerate(block(value))]
    return [f"- {flow(value)}"]


def block(value: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a mapping, without a margin."""
    for key, part in value.items():
        yield from entry(key, part)


def remark(comment: str) -> list[str]:
    """The lines of a comment."""
    lines = (re.sub(r"\s+", " ", line).strip() for line in comment.splitlines())
    return [f"# {''.join(c if c.isprintable() else ' ' for c in line)}".rstrip() for line in lines]


def _nests(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, (list, tuple)) and any(
        isinstance(part, (list, tuple, Mapping)) for part in value
    )


def _fits(value: list[Any] | tuple[Any, ...]) -> bool:
    """Whether a list is written on one line: plain values, or any number of points of a polygon."""
    points = all(isinstance(part, (list, tuple)) and len(part) == 2 and not _nests(part) for part in value)
    return points or not _nests(value)


def _text(value: str, quoted: bool) -> str:
    plain = _PLAIN.fullmatch(value) is not None and value.isprintable() and value.lower() not in _WORDS
    if plain and not quoted:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else _escaped(char) for char in escaped) + '"'


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
