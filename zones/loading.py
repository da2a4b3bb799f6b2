"""YAML documents in plain Python values that remember the line of each of their parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from zones.errors import FacilityError, Fault, FaultCode
from zones.validation import Loc

MAX_VALUES = 200_000
"""Most values of a document. A file of a hundred cameras has some ten thousand; a file with more than this
multiplies aliases to fill the memory."""
MAX_DEPTH = 40
"""Most levels of nesting of a document."""

_TAG = "tag:yaml.org,2002:"
_FLOATS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}


@dataclass(frozen=True)
class Document:
    """A parsed YAML mapping: `data` in plain Python types, `lines` (from 1) by location."""

    data: dict[str, Any]
    lines: Mapping[Loc, int]

    def line(self, loc: Loc) -> int:
        """The line of the part at `loc`, or of the nearest part that contains the location."""
        while loc not in self.lines:
            loc = loc[:-1]
        return self.lines[loc]


def read_document(text: str, name: str, what: str = "a facility", key: str = "facility") -> Document:
    """Parse YAML 1.2 text whose top level is a mapping; raises FacilityError with the line of a fault.

    `what` the text describes, and a `key` that its top level has, are for the message.

    The tree of nodes is read instead of the objects that a YAML constructor builds: every node has its line,
    and no tag can create anything but text, numbers, lists and mappings. Dates stay text.
    """
    text = text.removeprefix("\ufeff")
    try:
        root = YAML(typ="rt").compose(text)
        if root is None:
            fault = Fault(f"{what} in YAML", "an empty file", FaultCode.MISSING)
            raise FacilityError(fault, file=name)
        reader = _Reader(name)
        data = reader.value(root, ())
    except RecursionError:
        raise FacilityError(_TOO_DEEP, file=name) from None
    except YAMLError as error:
        fault, broken_line = _yaml_fault(error, text)
        raise FacilityError(fault, file=name, line=broken_line) from error
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        fault = Fault(f"a mapping with the key {key!r}", kind, FaultCode.WRONG_TYPE)
        raise FacilityError(fault, file=name, line=reader.lines[()])
    return Document(data, reader.lines)


_TOO_DEEP = Fault(f"at most {MAX_DEPTH} levels of nesting", "more", FaultCode.TOO_MANY)


class _Reader:
    """Turns nodes into plain values, limited in number and depth, and records their lines."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Loc, int] = {}

    def value(self, node: Any, loc: Loc) -> Any:
        line = node.start_mark.line + 1
        # The node of an alias has the line of its anchor. The line of its key, set before, is more useful.
        self.lines.setdefault(loc, line)
        if len(loc) > MAX_DEPTH:
            raise FacilityError(_TOO_DEEP, file=self.name, line=line)
        if len(self.lines) > MAX_VALUES:
            expected = f"at most {MAX_VALUES} values"
            self._refuse(line, expected, "more (aliases of aliases?)", FaultCode.TOO_MANY)
        if isinstance(node, ScalarNode):
            return self._scalar(node, line)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*loc, i)) for i, item in enumerate(node.value)]
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, loc)
        self._refuse(line, "a plain value", f"one with the tag {node.tag}", FaultCode.WRONG_TYPE)

    def _mapping(self, node: MappingNode, loc: Loc) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._refuse(line, "text as a key", "a list or mapping", FaultCode.WRONG_TYPE)
            key = str(key_node.value)
            if key in result:
                first = self.lines[(*loc, key)]
                got = f"{key!r} again (first at line {first})"
                self._refuse(line, "each key once", got, FaultCode.DUPLICATE)
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
        self._refuse(line, "a plain value", f"one with the tag {node.tag}", FaultCode.WRONG_TYPE)

    def _refuse(self, line: int, expected: str, got: str, code: FaultCode) -> NoReturn:
        raise FacilityError(Fault(expected, got, code), file=self.name, line=line)


def _yaml_fault(error: YAMLError, text: str) -> tuple[Fault, int | None]:
    """The fault that the parser found, and its line where the parser knows it."""
    if isinstance(error, ReaderError):
        character = f"the character U+{ord(text[error.position]):04X}"
        line = text.count("\n", 0, int(error.position)) + 1
        return Fault("printable text", character, FaultCode.SYNTAX), line
    if not isinstance(error, MarkedYAMLError):
        return Fault("valid YAML", f"a fault ({type(error).__name__})", FaultCode.SYNTAX), None
    mark, began = error.problem_mark or error.context_mark, error.context_mark
    at = None if mark is None else mark.line + 1
    problem = " ".join(str(error.problem).split())
    if "another document" in problem:
        return Fault("one YAML document", "a second", FaultCode.SYNTAX), at
    hint = "indent with spaces, not with tabs" if "'\\t'" in problem else ""
    elsewhere = began is not None and mark is not None and began.line != mark.line
    since = f" that begins at line {began.line + 1}" if elsewhere else ""
    context = f"{error.context}{since}: " if error.context else ""
    return Fault("valid YAML", f"a fault ({context}{problem})", FaultCode.SYNTAX, hint), at
