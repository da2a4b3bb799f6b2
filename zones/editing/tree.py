"""A YAML document as nodes that know where their text begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)


@dataclass
class Node:
    """A value as written; `start` and `end` are positions in the text.

    The end of a block is that of the last text in it; the parser's end lies after the comments that follow.
    An alias is a node of its own, which it is not in the parser's tree of values.
    """

    kind: str
    start: int
    end: int
    flow: bool = False
    text: str = ""
    items: list[Node] = field(default_factory=list)
    keys: list[Node] = field(default_factory=list)

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Keys and values of a mapping, as written."""
        return zip(self.keys, self.items, strict=True)

    def index(self, step: int | str) -> int | None:
        """The index of the item that a step leads to: a key, an index, or the id of a mapping in a list."""
        if isinstance(step, int):
            return step if self.kind == "sequence" and 0 <= step < len(self.items) else None
        if self.kind == "mapping":
            return next((i for i, key in enumerate(self.keys) if key.text == step), None)
        for i, item in enumerate(self.items):
            at = item.index("id") if item.kind == "mapping" else None
            if at is not None and item.items[at].text == step:
                return i
        return None


def compose(body: str) -> Node:
    """The top node of a valid YAML document without a byte order mark."""
    parsed = YAML(typ="rt").parse(body)
    events = (event for event in parsed if isinstance(event, (NodeEvent, CollectionEndEvent)))
    return _node(next(events), events)


def _node(event: Any, events: Iterator[Any]) -> Node:
    node = Node("scalar", int(event.start_mark.index), int(event.end_mark.index))
    if isinstance(event, AliasEvent):
        node.kind = "alias"
    elif isinstance(event, ScalarEvent):
        node.text = str(event.value)
    else:
        node.kind = "mapping" if isinstance(event, MappingStartEvent) else "sequence"
        node.flow = bool(event.flow_style)
        while not isinstance(following := next(events), CollectionEndEvent):
            child = _node(following, events)
            if node.kind == "mapping":
                node.keys.append(child)
                child = _node(next(events), events)
            node.items.append(child)
        node.end = int(following.end_mark.index) if node.flow else node.items[-1].end
    return node
