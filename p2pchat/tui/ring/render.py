"""The ring screen's markup: the circle, the selected node, the events; pure functions."""

import math
from collections.abc import Iterable
from typing import Any, TypeAlias

from p2pchat.tui.ring.model import Model, Node, Snapshot
from p2pchat.tui.text import one_line

Markup: TypeAlias = Any

SIGNS = {"ready": "●", "joining": "◌", "leaving": "◍", "suspected": "◐", "dead": "○"}
MAX_LABELS = 40
"""With more nodes than this only the selected one and its pointers are named."""

MAX_NAMES = 50
NAME_COLUMNS = 8

Cells: TypeAlias = list[list[tuple[str, str]]]
"""Rows of (attribute, character)."""


def circle(model: Model, columns: int, rows: int) -> list[Markup]:
    """The nodes on a circle, clockwise from the top, with what the selected one points to marked.

    Returns `rows` lines of `columns` cells.
    """
    cells: Cells = [[("ring", " ")] * columns for _ in range(rows)]
    for step in range(4 * (columns + rows)):
        column, row = _at(step / (4 * (columns + rows)), columns, rows)
        cells[row][column] = ("ring", "·")
    roles = roles_of(model.node)
    nodes = model.shown.nodes
    for node in nodes:
        _put_node(cells, node, roles.get(node.name, ""), len(nodes) <= MAX_LABELS)
    if model.node is not None:
        _put_node(cells, model.node, "selected", True)
    _put(cells, rows // 2 - 1, _middle(columns, caption(model)[0]), caption(model)[0], "title")
    _put(cells, rows // 2, _middle(columns, caption(model)[1]), caption(model)[1], "faint")
    return [_joined(line) for line in cells]


def caption(model: Model) -> tuple[str, str]:
    """Two lines for the middle of the circle."""
    snapshot = model.shown
    if not snapshot.nodes:
        return "one moment", "the node is asked"
    alive = sum(node.state == "ready" for node in snapshot.nodes)
    missing = f"{snapshot.deficit} copies missing" if snapshot.deficit else "all copies there"
    return f"{alive} of {len(snapshot.nodes)} nodes", missing


def roles_of(node: Node | None) -> dict[str, str]:
    """What other nodes are to the selected one: p, s1 …, f."""
    if node is None:
        return {}
    roles = dict.fromkeys(node.fingers, "f")
    roles.update((name, f"s{place}") for place, name in reversed(list(enumerate(node.successors, 1))))
    if node.predecessor:
        roles[node.predecessor] = "p" + (" " + roles[node.predecessor] if node.predecessor in roles else "")
    return roles


def details(model: Model) -> list[Markup]:
    """The selected node: its place, pointers, load, and the users with their nodes."""
    node = model.node
    if node is None:
        return [("faint", "no node is selected")]
    pairs = (
        ("state", node.state),
        ("address", node.address),
        ("predecessor", node.predecessor or "-"),
        ("successors", _names(node.successors)),
        ("fingers", _names(node.fingers)),
        ("users", str(node.users)),
        ("backups", str(node.backups)),
        ("sessions", str(node.sessions)),
        ("slots", str(node.slots)),
        ("members", f"{node.least} of {node.wanted}"),
        ("deficit", str(node.deficit)),
    )
    lines: list[Markup] = [("title", f"node {node.name}"), *([("faint", f"{key} "), value] for key, value in pairs)]
    return [*lines, "", *owned(model.shown, node)]


def owned(snapshot: Snapshot, node: Node) -> list[Markup]:
    """The names of accounts, as far as the asked node knows them: what the selected one owns, then the others."""
    if not snapshot.users:
        return []
    mine = [each.name for each in snapshot.users if each.owner == node.name]
    others = [f"{one_line(each.name, 24)} → {each.owner}" for each in snapshot.users if each.owner != node.name]
    return [
        ("title", "users that it owns"),
        *_some(one_line(each, 32) for each in mine),
        ("title", "users of other owners"),
        *_some(others),
    ]


def events(model: Model, rows: int) -> list[Markup]:
    """The latest events, the newest last."""
    return list(model.events[-rows:]) if rows > 0 else []


def bar(model: Model) -> Markup:
    """The status line."""
    if model.problem:
        return ("alert", f" {one_line(model.problem, 200)}")
    moment = f"{model.shown.at}, {model.back} steps back (End: now)" if model.back else f"{model.shown.at} now"
    return ("alert" if model.shown.deficit else "bar", f" {moment} │ {' │ '.join(caption(model))} │ ? help │ q quit")


def _at(place: float, columns: int, rows: int) -> tuple[int, int]:
    """The cell of a place on the circle; labels need room at the sides."""
    angle = 2 * math.pi * place
    across = max((columns - 2 * (NAME_COLUMNS + 6)) / 2, 1)
    down = max((rows - 3) / 2, 1)
    column = round((columns - 1) / 2 + across * math.sin(angle))
    row = round((rows - 1) / 2 - down * math.cos(angle))
    return min(max(column, 0), columns - 1), min(max(row, 0), rows - 1)


def _put_node(cells: Cells, node: Node, role: str, named: bool) -> None:
    columns, rows = len(cells[0]), len(cells)
    column, row = _at(node.place, columns, rows)
    sign = SIGNS.get(node.state, "?")
    attribute = "selected" if role == "selected" else "dead" if node.state in ("dead", "suspected") else "node"
    label = node.name + (f" {role}" if role and role != "selected" else "")
    if not named and not role:
        label = ""
    if node.place < 0.5:
        _put(cells, row, column, f"{sign} {label}".rstrip(), attribute)
    else:
        text = f"{label} {sign}".lstrip()
        _put(cells, row, column - len(text) + 1, text, attribute)


def _put(cells: Cells, row: int, column: int, text: str, attribute: str) -> None:
    start = min(max(column, 0), max(len(cells[0]) - len(text), 0))
    for place, character in enumerate(text, start):
        if 0 <= row < len(cells) and place < len(cells[0]):
            cells[row][place] = (attribute, character)


def _middle(columns: int, text: str) -> int:
    return (columns - len(text)) // 2


def _joined(line: list[tuple[str, str]]) -> Markup:
    joined: list[tuple[str, str]] = []
    for attribute, character in line:
        if joined and joined[-1][0] == attribute:
            joined[-1] = (attribute, joined[-1][1] + character)
        else:
            joined.append((attribute, character))
    return joined


def _names(names: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(names)) or "-"


def _some(texts: Iterable[str]) -> list[Markup]:
    listed = list(texts)
    more = [("faint", f"and {len(listed) - MAX_NAMES} more")] if len(listed) > MAX_NAMES else []
    return [*listed[:MAX_NAMES], *more] or [("faint", "none")]
