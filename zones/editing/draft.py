"""A YAML text under change: every edit is a splice, and what it does not touch stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from zones.editing.rendering import block, entry, flow, item, remark
from zones.editing.tree import Node, compose
from zones.errors import FacilityError, Fault, FaultCode
from zones.loading import read_document
from zones.validation import Loc, path_of

Edit = tuple[int, int, str]
_BOM = "\ufeff"
# What may stand between two parts: blanks, comments, and the anchor or tag of a list.
_BETWEEN = re.compile(r"(?:\s|#[^\r\n]*|[&!]\S*)*")
_LINE_END = re.compile(r"[\r\n]|\Z")


class Draft:
    """The text of a facility file between one edit and the next.

    Places are given as a `Loc` of keys and numbers. Raises FacilityError where a place cannot be changed
    without touching more: an alias, or parts that share a line in a way no facility file needs.
    """

    def __init__(self, text: str, name: str) -> None:
        """Begin with the text of file `name`."""
        self.name = name
        self._bom = _BOM if text.startswith(_BOM) else ""
        self._take(text.removeprefix(_BOM))

    @property
    def text(self) -> str:
        """The whole text as it stands now."""
        return self._bom + self.body

    def resolve(self, loc: Loc) -> Loc:
        """A place with the ids of list items turned into their numbers, as far as it is there."""
        node, found = self.root, list(loc)
        for i, step in enumerate(loc):
            index = node.index(step)
            if index is None:
                break
            if node.kind == "sequence":
                found[i] = index
            node = node.items[index]
        return tuple(found)

    def merge(self, loc: Loc, value: Any) -> None:
        """Give a place that is there another value, part by part: what is alike in both is not touched."""
        later: list[tuple[Loc, Any]] = []
        self._apply(list(self._differences(self._node(loc), loc, self._value(loc), value, later)))
        for at, change in later:
            if isinstance(change, _Insert):
                self.insert(at, change.key, change.value, change.order)
            else:
                self.remove(at)

    def insert(
        self, loc: Loc, key: str | int, value: Any, order: Sequence[str] = (), comment: str = ""
    ) -> None:
        """Put a new key into the mapping at a place, or a new item into the list before the item `key`.

        A key comes after those that precede it in `order`, an unknown one last.
        """
        node = self._node(loc)
        if node.kind not in ("mapping", "sequence"):
            self._refuse(loc, "a list or mapping that is written out")
        before = self._before(node, key, order)
        # JSON is YAML, and should stay JSON.
        names = node.keys[:1] or self._first_keys(node) or self._node(loc[:-1]).keys[:1]
        quoted = any(self.body[name.start] == '"' for name in names)
        flat = flow(value, quoted)
        if isinstance(key, str):
            flat = f"{flow(key, quoted)}: {flat}"
        if node.flow and (node.items or self._within_flow(loc)):
            self._apply([*self._remarks_above(loc, comment), self._flow_insert(node, before, flat)])
        elif node.flow:
            self._fill(loc, node, value if isinstance(key, int) else {key: value}, comment)
        else:
            self._block_insert(loc, node, before, key, value, flat, comment)

    def remove(self, loc: Loc) -> None:
        """Take out a key or a list item, with the comments within it; others stay."""
        node, at = self._node(loc[:-1]), self._node(loc[:-1]).index(loc[-1])
        if at is None:
            self._refuse(loc, "a part that is written out")
        if node.flow:
            self._apply(self._flow_removal(node, at))
        elif len(node.items) == 1:
            opening = self._opening(loc[:-1])
            empty = " {}" if node.kind == "mapping" else " []"
            self._apply([*self._block_removal(loc, node, at), (opening, opening, empty)])
        else:
            self._apply(self._block_removal(loc, node, at))

    def replace_entry(self, loc: Loc, value: Any) -> None:
        """Replace the value of a key of a mapping, along with the comments in and beside it."""
        node, key = self._node(loc[:-1]), str(loc[-1])
        at = node.index(key)
        if at is None or node.items[at].kind == "alias":
            self._refuse(loc, "a value that is written out", "an alias of another")
        old, name = node.items[at], node.keys[at]
        if node.flow:
            self._apply([(old.start, old.end, flow(value, self.body[name.start] == '"'))])
        else:
            lines = self._lines(entry(key, value), self._column(name.start))
            self._apply([(name.start, self._line_end(old.end), lines.lstrip(" "))])

    def rename(self, loc: Loc, key: str) -> None:
        """Give a key of a mapping another name."""
        node = self._node(loc[:-1])
        at = node.index(loc[-1])
        if at is None or node.kind != "mapping":
            self._refuse(loc, "a key that is written out")
        name = node.keys[at]
        self._apply([(name.start, name.end, flow(key, self.body[name.start] == '"'))])

    def enclose(self, loc: Loc) -> None:
        """Make the value at a place the one item of a list."""
        node = self._node(loc)
        self._apply([(node.start, node.start, "["), (node.end, node.end, "]")])

    # Where things are

    def _take(self, body: str) -> None:
        self.document = read_document(body, self.name)
        self.data = self.document.data
        self.body, self.root = body, compose(body)
        self._newline = "\r\n" if "\r\n" in body else "\n"

    def _apply(self, edits: Sequence[Edit]) -> None:
        body = self.body
        for start, end, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
            body = body[:start] + new + body[end:]
        try:
            self._take(body)
        except FacilityError as error:
            raise error.after_change() from None

    def _refuse(self, loc: Loc, wanted: str, got: str = "another form") -> NoReturn:
        fault = Fault(wanted, got, FaultCode.NOT_EDITABLE, "edit it by hand")
        raise FacilityError(fault, file=self.name, field=path_of(loc))

    def _node(self, loc: Loc) -> Node:
        node = self.root
        for step in loc:
            index = node.index(step)
            if index is None:
                self._refuse(loc, "a part that is written out")
            node = node.items[index]
        return node

    def _value(self, loc: Loc) -> Any:
        value: Any = self.data
        for step in loc:
            value = value[step]
        return value

    def _within_flow(self, loc: Loc) -> bool:
        return any(self._node(loc[:depth]).flow for depth in range(len(loc)))

    def _first_keys(self, node: Node) -> list[Node]:
        return [part for child in node.items[:1] for part in child.keys[:1]]

    def _line_start(self, at: int) -> int:
        return max(self.body.rfind("\n", 0, at), self.body.rfind("\r", 0, at)) + 1

    def _line_end(self, at: int) -> int:
        """The end, before its line break, of the line of text that ends at `at`."""
        if at and self.body[at - 1] in "\r\n":
            # A literal block ends with the break of its last line.
            return at - 2 if self.body[:at].endswith("\r\n") else at - 1
        match = _LINE_END.search(self.body, at)
        return match.start() if match else len(self.body)

    def _column(self, at: int) -> int:
        return at - self._line_start(at)

    def _dash(self, loc: Loc, node: Node, at: int) -> int:
        """Where the dash of an item of a block list is."""
        match = _BETWEEN.match(self.body, node.items[at - 1].end if at else node.start)
        place = match.end() if match else node.start
        if self.body[place : place + 1] != "-":
            self._refuse(loc, "an item that is written out")
        return place

    def _opening(self, loc: Loc) -> int:
        """The place behind the colon or dash that a value follows."""
        parent, step = self._node(loc[:-1]), loc[-1]
        at = parent.index(step)
        if at is None:
            self._refuse(loc, "a part that is written out")
        if parent.kind == "sequence":
            return self._dash(loc, parent, at) + 1
        return self.body.index(":", parent.keys[at].end) + 1

    def _lines(self, lines: Sequence[str], column: int) -> str:
        return self._newline.join(" " * column + line if line else line for line in lines)

    def _before(self, node: Node, key: str | int, order: Sequence[str]) -> int:
        """After how many of the present parts a new one comes."""
        if isinstance(key, int):
            return min(key, len(node.items))
        ahead = set(order[: order.index(key)]) if key in order else set()
        places = [i for i, known in enumerate(node.keys) if known.text in ahead]
        if not places and key in order and node is self.root:
            return 0
        return max(places) + 1 if places else len(node.items)

    # Adding

    def _flow_insert(self, node: Node, before: int, text: str) -> Edit:
        if not node.items:
            return node.end - 1, node.end - 1, text
        if before == 0:
            start = (node.keys or node.items)[0].start
            return start, start, f"{text}, "
        end = node.items[before - 1].end
        return end, end, f", {text}"

    def _remarks_above(self, loc: Loc, comment: str) -> list[Edit]:
        """A comment above the line on which the outermost flow around a place begins."""
        if not comment:
            return []
        outer = next(node for depth in range(len(loc) + 1) if (node := self._node(loc[:depth])).flow)
        start = self._line_start(outer.start)
        margin = len(self.body[start:]) - len(self.body[start:].lstrip(" "))
        return [(start, start, self._lines(remark(comment), margin) + self._newline)]

    def _fill(self, loc: Loc, node: Node, value: Any, comment: str) -> None:
        """Turn an empty `[]` or `{}` of a block into a block."""
        if not loc:
            self._refuse(loc, "a mapping that is written out")
        parent = self._node(loc[:-1])
        at = parent.index(loc[-1]) or 0
        owner = parent.keys[at].start if parent.kind == "mapping" else self._dash(loc, parent, at)
        lines = [*remark(comment), *(item(value) if node.kind == "sequence" else block(value))]
        end = self._line_end(node.end)
        text = self._newline + self._lines(lines, self._column(owner) + 2)
        start = node.start
        while self.body[start - 1] == " ":
            start -= 1
        if self.body[node.start + 1 : node.end - 1].strip():
            self._refuse(loc, "an empty list without a comment in it")
        self._apply([(start, node.end, ""), (end, end, text)])

    def _block_insert(
        self, loc: Loc, node: Node, before: int, key: str | int, value: Any, flat: str, comment: str
    ) -> None:
        if isinstance(key, str):
            first, lines = node.keys[0].start, entry(key, value)
        else:
            first = self._dash(loc, node, 0)
            # As its neighbour is written.
            beside = node.items[max(before - 1, 0)]
            lines = [f"- {flat}"] if beside.flow and isinstance(value, Mapping) else item(value)
        text = self._lines([*remark(comment), *lines], self._column(first))
        if before == 0:
            start = self._line_start(first)
            if self.body[start:first].strip():
                self._refuse(loc, "a list that begins on a line of its own")
            self._apply([(start, start, text + self._newline)])
        else:
            end = self._line_end(node.items[before - 1].end)
            self._apply([(end, end, self._newline + text)])

    # Taking out

    def _flow_removal(self, node: Node, at: int) -> list[Edit]:
        start, end = (node.keys[at] if node.keys else node.items[at]).start, node.items[at].end
        last = at == len(node.items) - 1
        comma = self._skip(end if not last or at == 0 else node.items[at - 1].end)
        if self.body[comma : comma + 1] != ",":
            return [(start, end, "")]
        after = comma + 1
        while self.body[after : after + 1] == " ":
            after += 1
        if not last and not self.body[end:comma].strip():
            return [(start, after, "")]
        if last and at and not self.body[comma + 1 : start].strip():
            return [(comma, end, "")]
        return [(comma, comma + 1, ""), (start, end, "")]

    def _skip(self, at: int) -> int:
        match = _BETWEEN.match(self.body, at)
        return match.end() if match else at

    def _block_removal(self, loc: Loc, node: Node, at: int) -> list[Edit]:
        first = node.keys[at].start if node.keys else self._dash(loc, node, at)
        start, end = self._line_start(first), self._line_end(node.items[at].end)
        if not self.body[start:first].strip():
            return [(start, self._next_line(end), "")]
        if node.keys and len(node.items) > 1:
            # The key follows the dash of its item: the dash stays, and the next key follows it.
            following = node.keys[at + 1].start
            blank = not self.body[end:following].strip()
            return [(first, following if blank else end, "")]
        self._refuse(loc, "a part on a line of its own")

    def _next_line(self, end: int) -> int:
        return end + 2 if self.body.startswith("\r\n", end) else min(end + 1, len(self.body))

    # Changing

    def _differences(
        self, node: Node, loc: Loc, old: Any, new: Any, later: list[tuple[Loc, Any]]
    ) -> Iterator[Edit]:
        if _same(old, new):
            return
        if node.kind == "mapping" and isinstance(new, Mapping):
            for key in new:
                at = node.index(key)
                if at is None:
                    later.append((loc, _Insert(key, new[key], tuple(new))))
                else:
                    yield from self._differences(node.items[at], (*loc, key), old[key], new[key], later)
            later += [((*loc, key), None) for key in old if key not in new]
        elif node.kind == "sequence" and isinstance(new, list) and not self._rewritten(node, old, new):
            yield from self._list_differences(node, loc, old, new, later)
        else:
            yield from self._replacement(node, loc, new)

    def _rewritten(self, node: Node, old: list[Any], new: list[Any]) -> bool:
        """Whether a list is better written anew: one on a line, without comments, of another length."""
        plain = node.flow and "#" not in self.body[node.start : node.end]
        return not new or not old or (plain and len(old) != len(new) and not isinstance(new[0], Mapping))

    def _list_differences(
        self, node: Node, loc: Loc, old: list[Any], new: list[Any], later: list[tuple[Loc, Any]]
    ) -> Iterator[Edit]:
        shorter = min(len(old), len(new))
        head = next((i for i in range(shorter) if not _same(old[i], new[i])), shorter)
        tail = next((i for i in range(shorter - head) if not _same(old[-1 - i], new[-1 - i])), shorter - head)
        both = shorter - head - tail
        for i in range(head, head + both):
            yield from self._differences(node.items[i], (*loc, i), old[i], new[i], later)
        # From the end, so that numbers stay those of the list as it is.
        later += [((*loc, i), None) for i in reversed(range(head + both, len(old) - tail))]
        later += [(loc, _Insert(i, new[i], ())) for i in range(head + both, len(new) - tail)]

    def _replacement(self, node: Node, loc: Loc, new: Any) -> Iterator[Edit]:
        if node.kind == "alias":
            self._refuse(loc, "a value that is written out", "an alias of another")
        quoted = node.kind == "scalar" and self._within_flow(loc) and self.body[node.start] == '"'
        text = flow(new, quoted and isinstance(new, str))
        if node.kind == "scalar" or node.flow:
            # A value that is not written at all has its place right behind the colon.
            space = " " if node.start == node.end else ""
            line = self.body[node.start : node.end]
            yield node.start, node.end, space + text + (self._newline if line.endswith("\n") else "")
            return
        # Comments between a key and its block stay.
        opening = self._opening(loc)
        gap = self.body[opening : node.start].rstrip()
        yield opening, opening, " " + text
        yield opening + len(gap), node.end, ""


class _Insert:
    def __init__(self, key: str | int, value: Any, order: Sequence[str]) -> None:
        self.key, self.value, self.order = key, value, order


def _same(old: Any, new: Any) -> bool:
    """Whether two values are written alike: 2 is 2.0, but true is not 1."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)
