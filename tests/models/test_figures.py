from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from models import figures, registry


def tables(card: str) -> dict[tuple[str, str], str]:
    """Every cell of a card's tables by the first cell of its row and the head of its column."""
    cells: dict[tuple[str, str], str] = {}
    head: list[str] = []
    for line in card.splitlines():
        row = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not row:
            head = []
        elif not head:
            head = row
        else:
            cells |= {(row[0], column): cell for column, cell in zip(head[1:], row[1:], strict=True)}
    return cells


@pytest.mark.parametrize("name", [weights.name for weights in registry.installed()])
def test_the_card_has_the_figures_that_the_list_shows(name: str) -> None:
    known = figures.card(registry.resolve(name))
    stated = tables((figures.CARDS / f"{name}.md").read_text())
    assert known.figures, f"{name}.json states no figure of the weights with this digest"
    assert known.imgsz % 32 == 0
    for figure in known.figures:
        assert stated[figure.row, figure.column] == f"{figure.value:.3f}"
        assert figure.data


def test_weights_that_were_replaced_have_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = registry.resolve("person")
    assert figures.card(person).figures
    assert figures.card(replace(person, sha256="0" * 64)).figures == ()
    assert figures.card(replace(person, ours=False)).figures == ()
    other = {"sha256": person.sha256, "imgsz": 96, "figures": []}
    (tmp_path / "person.json").write_text(json.dumps(other))
    monkeypatch.setattr(figures, "CARDS", tmp_path)
    assert figures.card(person) == figures.Card(96, ())
