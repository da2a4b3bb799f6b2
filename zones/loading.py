"""YAML documents in plain Python values that remember the line of each of their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from zones.validation import FacilityError, Loc

# A file of a hundred cameras has some ten thousand values; more than this is an alias bomb, not a facility.
MAX_VALUES = 200_000
MAX_DEPTH = 40

_TAG = "tag:yaml.org,2002:"
_FLOATS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}


@dataclass(frozen=True)
class Document:
    """A parsed YAML mapping: `data` in plain Python types, `lines` (from 1) by place."""

    data: dict[str, Any]
    lines: Mapping[Loc, int]

    def line(self, loc: Loc) -> int:
        """The line of the part at `loc`, or of the nearest part that holds it."""
        while loc not in self.lines:
            loc = loc[:-1]
        return self.lines[loc]


def read_document(text: str, name: str) -> Document:
    """Parse YAML 1.2 text whose top level is a mapping; raises FacilityError with the line of a fault.

    The tree of nodes is read, not the objects a YAML constructor makes of it: every node has its line, and
    no tag can make anything but text, numbers, lists and mappings. Dates stay text.
    """
    text = text.removeprefix("\ufeff")
    try:
        root = YAML(typ="rt").compose(text)
        if root is None:
            raise FacilityError(f"{name}: expected a facility in YAML, got an empty file")
        reader = _Reader(name)
        data = reader.value(root, ())
    except RecursionError:
        raise FacilityError(f"{name}: expected at most {MAX_DEPTH} levels of nesting, got more") from None
    except YAMLError as error:
        raise FacilityError(f"{name}: {_yaml_fault(error, text)}") from error
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        line = reader.lines[()]
        raise FacilityError(f"{name}: line {line}: expected a mapping with the key 'facility', got {kind}")
    return Document(data, reader.lines)


class _Reader:
    """Turns nodes into plain values, bounded in number and depth, and notes their lines."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Loc, int] = {}

    def value(self, node: Any, loc: Loc) -> Any:
        line = node.start_mark.line + 1
        # An alias leads back to the line of its anchor; the line of its own key, noted before, is more use.
        self.lines.setdefault(loc, line)
        if len(loc) > MAX_DEPTH:
            self._refuse(line, f"expected at most {MAX_DEPTH} levels of nesting, got more")
        if len(self.lines) > MAX_VALUES:
            self._refuse(line, f"expected at most {MAX_VALUES} values, got more (aliases of aliases?)")
        if isinstance(node, ScalarNode):
            return self._scalar(node, line)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*loc, i)) for i, item in enumerate(node.value)]
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, loc)
        self._refuse(line, f"expected a plain value, got one with the tag {node.tag}")

    def _mapping(self, node: MappingNode, loc: Loc) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._refuse(line, "expected text as a key, got a list or mapping")
            key = str(key_node.value)
            if key in result:
                first = self.lines[(*loc, key)]
                self._refuse(line, f"expected each key once, got {key!r} again (first at line {first})")
            self.lines[(*loc, key)] = line
            result[key] = self.value(value_node, (*loc, key))
        return result

    def _scalar(self, node: ScalarNode, line: int) -> str | int | float | bool | None:
        text, kind = str(node.value), str(node.tag).removeprefix(_TAG)
        digits = text.replace("_", "").lower()
        try:
            match kind:
                case "str" | "timestamp" | "merge" | "value":
                    return text
                case "null":
                    return None
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "int":
                    return int(digits, 0 if digits.lstrip("+-")[:2] in ("0x", "0o", "0b") else 10)
                case "float":
                    return float(_FLOATS.get(digits, digits))
        except (ValueError, KeyError):
            return text
        self._refuse(line, f"expected a plain value, got one with the tag {node.tag}")

    def _refuse(self, line: int, sentence: str) -> NoReturn:
        raise FacilityError(f"{self.name}: line {line}: {sentence}")


def _yaml_fault(error: YAMLError, text: str) -> str:
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, int(error.position)) + 1
        return f"line {line}: expected printable text, got the character U+{ord(text[error.position]):04X}"
    if not isinstance(error, MarkedYAMLError):
        return f"expected valid YAML, got a fault ({type(error).__name__})"
    mark, began = error.problem_mark or error.context_mark, error.context_mark
    where = f"line {mark.line + 1}: " if mark is not None else ""
    problem = " ".join(str(error.problem).split())
    if "another document" in problem:
        return f"{where}expected one YAML document, got a second"
    if "'\\t'" in problem:
        problem += ", a tab: indent with spaces"
    elsewhere = began is not None and mark is not None and began.line != mark.line
    since = f" that begins at line {began.line + 1}" if elsewhere else ""
    context = f"{error.context}{since}: " if error.context else ""
    return f"{where}expected valid YAML, got a fault ({context}{problem})"
