"""The text of a YAML document with the positions of its parts; edits replace pieces of the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

from zones.editing.tree import Node, compose
from zones.errors import FacilityError, Fault, FaultCode
from zones.loading import read_document
from zones.validation import Loc, path_of

Edit = tuple[int, int, str]
"""Start and end of the text to replace, and the new text."""
_BOM = "\ufeff"
# What may stand between two parts: blanks, comments, and the anchor or tag of a list.
_BETWEEN = re.compile(r"(?:\s|#[^\r\n]*|[&!]\S*)*")
_LINE_END = re.compile(r"[\r\n]|\Z")


class YamlText:
    """The text of a facility file, its values, and the nodes with the positions of its parts.

    Locations are given as a `Loc` of keys and indices.
    """

    def __init__(self, text: str, name: str) -> None:
        """Begin with the text of file `name`."""
        self.name = name
        self._bom = _BOM if text.startswith(_BOM) else ""
        self._take(text.removeprefix(_BOM))

    @property
    def text(self) -> str:
        """The whole text after the edits so far."""
        return self._bom + self.body

    def resolve(self, loc: Loc) -> Loc:
        """A location with the ids of list items replaced by their indices, as far as it exists."""
        node, found = self.root, list(loc)
        for i, step in enumerate(loc):
            index = node.index(step)
            if index is None:
                break
            if node.kind == "sequence":
                found[i] = index
            node = node.items[index]
        return tuple(found)

    def _take(self, body: str) -> None:
        self.document = read_document(body, self.name)
        self.data = self.document.data
        self.body, self.root = body, compose(body)
        self.newline = "\r\n" if "\r\n" in body else "\n"

    def splice(self, edits: Sequence[Edit]) -> None:
        """Replace pieces of the text and parse it again; raises FacilityError where it is no document."""
        body = self.body
        for start, end, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
            body = body[:start] + new + body[end:]
        try:
            self._take(body)
        except FacilityError as error:
            raise error.after_change() from None

    def refuse(self, loc: Loc, wanted: str, got: str = "another form") -> NoReturn:
        """Raise the error of a part that cannot be changed alone."""
        fault = Fault(wanted, got, FaultCode.NOT_EDITABLE, "edit it by hand")
        raise FacilityError(fault, file=self.name, field=path_of(loc))

    def node(self, loc: Loc) -> Node:
        """The node at a location; raises FacilityError where it is not written out."""
        node = self.root
        for step in loc:
            index = node.index(step)
            if index is None:
                self.refuse(loc, "a part that is written out")
            node = node.items[index]
        return node

    def value_at(self, loc: Loc) -> Any:
        """The value at a location that exists."""
        value: Any = self.data
        for step in loc:
            value = value[step]
        return value

    def within_flow(self, loc: Loc) -> bool:
        """Whether a location lies within a list or mapping in brackets."""
        return any(self.node(loc[:depth]).flow for depth in range(len(loc)))

    def first_keys(self, node: Node) -> list[Node]:
        """The first key of the first item of a list of mappings; empty where there is none."""
        return [part for child in node.items[:1] for part in child.keys[:1]]

    def line_start(self, at: int) -> int:
        """The start of the line that contains a position."""
        return max(self.body.rfind("\n", 0, at), self.body.rfind("\r", 0, at)) + 1

    def line_end(self, at: int) -> int:
        """The end, before its line break, of the line of text that ends at `at`."""
        if at and self.body[at - 1] in "\r\n":
            # A literal block ends with the break of its last line.
            return at - 2 if self.body[:at].endswith("\r\n") else at - 1
        match = _LINE_END.search(self.body, at)
        return match.start() if match else len(self.body)

    def column(self, at: int) -> int:
        """The column of a position, from 0."""
        return at - self.line_start(at)

    def dash(self, loc: Loc, node: Node, at: int) -> int:
        """The position of the dash of an item of a block list."""
        match = _BETWEEN.match(self.body, node.items[at - 1].end if at else node.start)
        place = match.end() if match else node.start
        if self.body[place : place + 1] != "-":
            self.refuse(loc, "an item that is written out")
        return place

    def opening(self, loc: Loc) -> int:
        """The position after the colon or dash that a value follows."""
        parent, step = self.node(loc[:-1]), loc[-1]
        at = parent.index(step)
        if at is None:
            self.refuse(loc, "a part that is written out")
        if parent.kind == "sequence":
            return self.dash(loc, parent, at) + 1
        return self.body.index(":", parent.keys[at].end) + 1

    def indented(self, lines: Sequence[str], column: int) -> str:
        """Lines as text, each with a margin."""
        return self.newline.join(" " * column + line if line else line for line in lines)

    def skip_blank(self, at: int) -> int:
        """The first position after blanks and comments."""
        match = _BETWEEN.match(self.body, at)
        return match.end() if match else at

    def next_line(self, end: int) -> int:
        """The start of the line after the one that ends at a position."""
        return end + 2 if self.body.startswith("\r\n", end) else min(end + 1, len(self.body))
