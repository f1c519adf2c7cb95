"""The drawing of the ring: nodes in proportion to their identifiers, an arc, fingers, and what was found."""

from itertools import pairwise
from typing import Any, TypeAlias

from p2pchat.tui.braille import Drawing, Round
from p2pchat.tui.ring.model import Found, Model, Node
from p2pchat.tui.text import one_line

Markup: TypeAlias = Any

SIGNS = {"ready": "●", "joining": "◌", "leaving": "◍", "suspected": "◐", "dead": "○"}
FOUND_SIGN = "◆"

MAX_LABELS = 40
"""With more nodes than this only the selected one, its pointers and what is not ready are named."""

LABEL_COLUMNS = 13
"""A sign, a name of 8 digits, and what the node is to the selected one."""

STRETCH = 1.15
ARC_DOTS = 2
"""How far outside of the ring the selected node's arc is drawn."""

Cells: TypeAlias = list[list[tuple[str, str]]]
"""Rows of (attribute, character)."""


def circle(model: Model, columns: int, rows: int) -> list[Markup]:
    """The nodes on a circle, clockwise from the top, with what the selected one points to marked.

    Returns `rows` lines of `columns` cells.
    """
    shape = Round(columns, rows, LABEL_COLUMNS, STRETCH)
    cells = _drawn(model, shape, columns, rows)
    _write_middle(cells, shape, caption(model))
    taken = _put_nodes(cells, shape, model)
    if model.found is not None:
        _put_found(cells, shape, model.found, taken)
    return [_joined(line) for line in cells]


def caption(model: Model) -> list[str]:
    """Lines for the middle of the circle."""
    snapshot = model.shown
    if not snapshot.nodes:
        return ["one moment", "the node is asked"]
    alive = sum(node.state == "ready" for node in snapshot.nodes)
    missing = f"{snapshot.deficit} copies missing" if snapshot.deficit else "all copies there"
    if not snapshot.deficit and all(node.wanted <= 1 for node in snapshot.nodes):
        missing = "no fault tolerance"
    lines = [f"{alive} of {len(snapshot.nodes)} nodes", missing]
    if model.node is not None:
        lines.append(f"{model.node.name} owns {100 * snapshot.arc(model.node)[1]:.1f} %")
    return lines


def roles_of(node: Node | None) -> dict[str, str]:
    """What other nodes are to the selected one: p, s1 …, f."""
    if node is None:
        return {}
    roles = dict.fromkeys(node.fingers, "f")
    roles.update((name, f"s{place}") for place, name in reversed(list(enumerate(node.successors, 1))))
    if node.predecessor:
        roles[node.predecessor] = "p" + (" " + roles[node.predecessor] if node.predecessor in roles else "")
    return roles


def roles_in(found: Found) -> dict[str, str]:
    """What nodes are to something that was found: its owner, its other members."""
    return {**dict.fromkeys(found.members, "copy"), found.owner: "owner"}


def _drawn(model: Model, shape: Round, columns: int, rows: int) -> Cells:
    drawing = Drawing(columns, rows)
    places = {node.name: node.place for node in model.shown.nodes}
    node = model.node
    if node is not None and model.fingers_drawn:
        for name in node.fingers:
            if name in places:
                drawing.line(shape.at(node.place), shape.at(places[name]), "finger", gap=2)
    shape.arc(drawing, 0.0, 1.0, "ring")
    if node is not None:
        start, length = model.shown.arc(node)
        if length:
            shape.arc(drawing, start, length, "arc")
            shape.arc(drawing, start, length, "arc", out=-ARC_DOTS)
    for passing in model.shown.ways:
        way = [places[name] for name in passing if name in places]
        for start, end in pairwise(way):
            drawing.line(shape.at(start), shape.at(end), "lookup", gap=2)
    if model.found is not None:
        way = [places[name] for name in (*model.found.hops, model.found.owner) if name in places]
        for start, end in pairwise(way):
            drawing.line(shape.at(start), shape.at(end), "marker")
    return list(drawing.cells())


def _write_middle(cells: Cells, shape: Round, lines: list[str]) -> None:
    """The caption, as much of it as has room inside of the ring."""
    room = int(shape.across) - 6
    top = round((len(cells) - len(lines)) / 2)
    for number, line in enumerate(lines):
        if len(line) <= max(room, 0) or number < 2:
            line = f" {line} "
            _put(cells, top + number, (len(cells[0]) - len(line)) // 2, line, "faint" if number else "title")


def _put_nodes(cells: Cells, shape: Round, model: Model) -> set[tuple[int, int]]:
    """Signs of all nodes, the more important ones over the others; then names where there is room; cells taken."""
    roles = roles_in(model.found) if model.found is not None else roles_of(model.node)
    ranked = sorted(model.shown.nodes, key=lambda node: _rank(node, model.selected, roles))
    for node in reversed(ranked):
        column, row = shape.cell(node.place)
        _put(cells, row, column, SIGNS.get(node.state, "?"), _attribute(node, model.selected))
    taken: set[tuple[int, int]] = {shape.cell(node.place) for node in ranked}
    for node in ranked:
        role = roles.get(node.name, "")
        if len(ranked) <= MAX_LABELS or node.name == model.selected or role or node.state != "ready":
            label = node.name + (f" {role}" if role else "")
            _put_label(cells, shape, node.place, label, _attribute(node, model.selected), taken)
    return taken


def _put_found(cells: Cells, shape: Round, found: Found, taken: set[tuple[int, int]]) -> None:
    column, row = shape.cell(found.place)
    _put(cells, row, column, FOUND_SIGN, "marker")
    _put_label(cells, shape, found.place, one_line(found.target, LABEL_COLUMNS - 2), "marker", taken)


def _rank(node: Node, selected: str, roles: dict[str, str]) -> tuple[bool, bool, int, str]:
    """The most important node first: selected, not ready, then by role: predecessor, successors, fingers."""
    role = roles.get(node.name, "")
    order = 0 if role.startswith(("p", "owner")) else 1 if role.startswith(("s", "copy")) else 2 if role else 3
    number = int(role[1:]) if role[1:].isdigit() else 0
    return node.name != selected, node.state == "ready", 100 * order + number, node.name


def _attribute(node: Node, selected: str) -> str:
    if node.name == selected:
        return "selected"
    return "node" if node.state == "ready" else "dead"


def _put_label(
    cells: Cells, shape: Round, place: float, label: str, attribute: str, taken: set[tuple[int, int]]
) -> None:
    """A name outside of the circle beside its sign; a row higher or lower where another one stands already."""
    column, row = shape.cell(place)
    right = place % 1.0 < 0.5
    start = column + 2 if right else column - 1 - len(label)
    start = min(max(start, 0), max(len(cells[0]) - len(label), 0))
    for shift in (0, -1, 1, -2, 2):
        wanted = {(each, row + shift) for each in range(start - 1, start + len(label) + 1)}
        if 0 <= row + shift < len(cells) and not (wanted & taken - {(column, row)}):
            gap = column + 1 if right else column - 1
            _put(cells, row + shift, gap, " ", "text")
            _put(cells, row + shift, start, label, attribute)
            taken |= wanted
            return


def _put(cells: Cells, row: int, column: int, text: str, attribute: str) -> None:
    for place, character in enumerate(text, column):
        if 0 <= row < len(cells) and 0 <= place < len(cells[0]):
            cells[row][place] = (attribute, character)


def _joined(line: list[tuple[str, str]]) -> Markup:
    joined: list[tuple[str, str]] = []
    for attribute, character in line:
        if joined and joined[-1][0] == attribute:
            joined[-1] = (attribute, joined[-1][1] + character)
        else:
            joined.append((attribute, character))
    return [(attribute or "text", text) for attribute, text in joined]
