"""Edits of a facility file: insert, replace, remove and rename parts; every other byte stays the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zones.editing.rendering import block, entry, flow, item, remark
from zones.editing.source import Edit, YamlText
from zones.editing.tree import Node
from zones.validation import Loc


class Draft(YamlText):
    """The text of a facility file during a series of edits.

    Every edit raises FacilityError where a part cannot be changed alone: an alias, or parts that share a line
    in a way that no facility file needs.
    """

    def merge(self, loc: Loc, value: Any) -> None:
        """Give an existing location another value, part by part: equal parts are not touched."""
        later: list[tuple[Loc, Any]] = []
        self.splice(list(self._differences(self.node(loc), loc, self.value_at(loc), value, later)))
        for at, change in later:
            if isinstance(change, _Insert):
                self.insert(at, change.key, change.value, change.order)
            else:
                self.remove(at)

    def insert(
        self, loc: Loc, key: str | int, value: Any, order: Sequence[str] = (), comment: str = ""
    ) -> None:
        """Insert a new key into the mapping at a location, or a new item into the list before the item `key`.

        A key comes after those that precede it in `order`, an unknown one last.
        """
        node = self.node(loc)
        if node.kind not in ("mapping", "sequence"):
            self.refuse(loc, "a list or mapping that is written out")
        before = self._before(node, key, order)
        # JSON is YAML, and should stay JSON.
        names = node.keys[:1] or self.first_keys(node) or self.node(loc[:-1]).keys[:1]
        quoted = any(self.body[name.start] == '"' for name in names)
        flat = flow(value, quoted)
        if isinstance(key, str):
            flat = f"{flow(key, quoted)}: {flat}"
        if node.flow and (node.items or self.within_flow(loc)):
            self.splice([*self._remarks_above(loc, comment), self._flow_insert(node, before, flat)])
        elif node.flow:
            self._fill(loc, node, value if isinstance(key, int) else {key: value}, comment)
        else:
            self._block_insert(loc, node, before, key, value, flat, comment)

    def remove(self, loc: Loc) -> None:
        """Remove a key or a list item, with the comments within it; other comments stay."""
        node, at = self.node(loc[:-1]), self.node(loc[:-1]).index(loc[-1])
        if at is None:
            self.refuse(loc, "a part that is written out")
        if node.flow:
            self.splice(self._flow_removal(node, at))
        elif len(node.items) == 1:
            opening = self.opening(loc[:-1])
            empty = " {}" if node.kind == "mapping" else " []"
            self.splice([*self._block_removal(loc, node, at), (opening, opening, empty)])
        else:
            self.splice(self._block_removal(loc, node, at))

    def replace_entry(self, loc: Loc, value: Any) -> None:
        """Replace the value of a key of a mapping, along with the comments in and beside it."""
        node, key = self.node(loc[:-1]), str(loc[-1])
        at = node.index(key)
        if at is None or node.items[at].kind == "alias":
            self.refuse(loc, "a value that is written out", "an alias of another")
        old, name = node.items[at], node.keys[at]
        if node.flow:
            self.splice([(old.start, old.end, flow(value, self.body[name.start] == '"'))])
        else:
            lines = self.indented(entry(key, value), self.column(name.start))
            self.splice([(name.start, self.line_end(old.end), lines.lstrip(" "))])

    def rename(self, loc: Loc, key: str) -> None:
        """Rename a key of a mapping."""
        node = self.node(loc[:-1])
        at = node.index(loc[-1])
        if at is None or node.kind != "mapping":
            self.refuse(loc, "a key that is written out")
        name = node.keys[at]
        self.splice([(name.start, name.end, flow(key, self.body[name.start] == '"'))])

    def enclose(self, loc: Loc) -> None:
        """Make the value at a location the only item of a list."""
        node = self.node(loc)
        self.splice([(node.start, node.start, "["), (node.end, node.end, "]")])

    def _before(self, node: Node, key: str | int, order: Sequence[str]) -> int:
        """The number of present parts that come before a new one."""
        if isinstance(key, int):
            return min(key, len(node.items))
        ahead = set(order[: order.index(key)]) if key in order else set()
        places = [i for i, known in enumerate(node.keys) if known.text in ahead]
        if not places and key in order and node is self.root:
            return 0
        return max(places) + 1 if places else len(node.items)

    # Inserting

    def _flow_insert(self, node: Node, before: int, text: str) -> Edit:
        if not node.items:
            return node.end - 1, node.end - 1, text
        if before == 0:
            start = (node.keys or node.items)[0].start
            return start, start, f"{text}, "
        end = node.items[before - 1].end
        return end, end, f", {text}"

    def _remarks_above(self, loc: Loc, comment: str) -> list[Edit]:
        """A comment above the line on which the outermost brackets around a location begin."""
        if not comment:
            return []
        outer = next(node for depth in range(len(loc) + 1) if (node := self.node(loc[:depth])).flow)
        start = self.line_start(outer.start)
        margin = len(self.body[start:]) - len(self.body[start:].lstrip(" "))
        return [(start, start, self.indented(remark(comment), margin) + self.newline)]

    def _fill(self, loc: Loc, node: Node, value: Any, comment: str) -> None:
        """Turn an empty `[]` or `{}` of a block into a block."""
        if not loc:
            self.refuse(loc, "a mapping that is written out")
        parent = self.node(loc[:-1])
        at = parent.index(loc[-1]) or 0
        owner = parent.keys[at].start if parent.kind == "mapping" else self.dash(loc, parent, at)
        lines = [*remark(comment), *(item(value) if node.kind == "sequence" else block(value))]
        end = self.line_end(node.end)
        text = self.newline + self.indented(lines, self.column(owner) + 2)
        start = node.start
        while self.body[start - 1] == " ":
            start -= 1
        if self.body[node.start + 1 : node.end - 1].strip():
            self.refuse(loc, "an empty list without a comment in it")
        self.splice([(start, node.end, ""), (end, end, text)])

    def _block_insert(
        self, loc: Loc, node: Node, before: int, key: str | int, value: Any, flat: str, comment: str
    ) -> None:
        if isinstance(key, str):
            first, lines = node.keys[0].start, entry(key, value)
        else:
            first = self.dash(loc, node, 0)
            # In the form of its neighbour.
            beside = node.items[max(before - 1, 0)]
            lines = [f"- {flat}"] if beside.flow and isinstance(value, Mapping) else item(value)
        text = self.indented([*remark(comment), *lines], self.column(first))
        if before == 0:
            start = self.line_start(first)
            if self.body[start:first].strip():
                self.refuse(loc, "a list that begins on a line of its own")
            self.splice([(start, start, text + self.newline)])
        else:
            end = self.line_end(node.items[before - 1].end)
            self.splice([(end, end, self.newline + text)])

    # Removing

    def _flow_removal(self, node: Node, at: int) -> list[Edit]:
        start, end = (node.keys[at] if node.keys else node.items[at]).start, node.items[at].end
        last = at == len(node.items) - 1
        comma = self.skip_blank(end if not last or at == 0 else node.items[at - 1].end)
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

    def _block_removal(self, loc: Loc, node: Node, at: int) -> list[Edit]:
        first = node.keys[at].start if node.keys else self.dash(loc, node, at)
        start, end = self.line_start(first), self.line_end(node.items[at].end)
        if not self.body[start:first].strip():
            return [(start, self.next_line(end), "")]
        if node.keys and len(node.items) > 1:
            # The key follows the dash of its item: the dash stays, and the next key follows it.
            following = node.keys[at + 1].start
            blank = not self.body[end:following].strip()
            return [(first, following if blank else end, "")]
        self.refuse(loc, "a part on a line of its own")

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
        """Whether to replace a list as a whole: one on a line, without comments, of another length."""
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
        # From the end, so that the indices of the remaining items stay valid.
        later += [((*loc, i), None) for i in reversed(range(head + both, len(old) - tail))]
        later += [(loc, _Insert(i, new[i], ())) for i in range(head + both, len(new) - tail)]

    def _replacement(self, node: Node, loc: Loc, new: Any) -> Iterator[Edit]:
        if node.kind == "alias":
            self.refuse(loc, "a value that is written out", "an alias of another")
        quoted = node.kind == "scalar" and self.within_flow(loc) and self.body[node.start] == '"'
        text = flow(new, quoted and isinstance(new, str))
        if node.kind == "scalar" or node.flow:
            # An empty value is located directly after the colon.
            space = " " if node.start == node.end else ""
            line = self.body[node.start : node.end]
            yield node.start, node.end, space + text + (self.newline if line.endswith("\n") else "")
            return
        # Comments between a key and its block stay.
        opening = self.opening(loc)
        gap = self.body[opening : node.start].rstrip()
        yield opening, opening, " " + text
        yield opening + len(gap), node.end, ""


@dataclass(frozen=True)
class _Insert:
    key: str | int
    value: Any
    order: Sequence[str]


def _same(old: Any, new: Any) -> bool:
    """Whether two values are equal as written: 2 equals 2.0, but true does not equal 1."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)
