"""The ring screen's texts: the selected node, the events, the history; pure functions to markup."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from p2pchat.tui.ring.circle import SIGNS, caption
from p2pchat.tui.ring.model import Change, Found, Model, Node, Snapshot
from p2pchat.tui.text import one_line

Markup: TypeAlias = Any

MAX_NAMES = 50
MAX_EVENT_CHARACTERS = 400

LEGEND = [
    "p predecessor, s1 … successors, f fingers of the selected node; its arc is drawn double",
    "dotted lines: lookups of all nodes, in the second in which they pass",
    "◆ what was looked for, and where its owner and its copies are",
    "  ".join(f"{sign} {state}" for state, sign in SIGNS.items()),
]


def details(model: Model) -> list[Markup]:
    """The selected node: its place, pointers, load, and the users with their nodes."""
    node = model.node
    if node is None:
        return [*looked_up(model.found), ("faint", "no node is selected")]
    state = {each.name: each.state for each in model.shown.nodes}
    pairs = (
        ("state", f"{SIGNS.get(node.state, '?')} {node.state}"),
        ("address", one_line(node.address, 60)),
        ("arc", f"{100 * model.shown.arc(node)[1]:.1f} % of the circle"),
        ("predecessor", _named(node.predecessor, state) if node.predecessor else "-"),
        ("successors", _names(node.successors, state)),
        ("fingers", _names(node.fingers, state)),
        ("users", str(node.users)),
        ("backups", str(node.backups)),
        ("sessions", str(node.sessions)),
        ("slots", str(node.slots)),
        ("members", f"{node.least} of {node.wanted}"),
        ("deficit", f"{node.deficit} copies missing" if node.deficit else "0"),
    )
    lines: list[Markup] = [("title", f"node {node.name}"), *([("faint", f"{key} "), value] for key, value in pairs)]
    return [*looked_up(model.found), *lines, "", *owned(model.shown, node)]


def looked_up(found: Found | None) -> list[Markup]:
    """Where somebody belongs who was looked for."""
    if found is None:
        return []
    pairs = (
        ("identifier", found.identifier[:16]),
        ("slot", f"{found.slot}, epoch {one_line(found.epoch, 16)}"),
        ("owner", found.owner),
        ("members", " ".join(found.members)),
        ("copies", str(found.copies)),
        ("hops", " → ".join(found.hops) or "none, it was known"),
    )
    heading = ("marker", f"◆ {one_line(found.target, 32)}")
    return [heading, *([("faint", f"{key} "), value] for key, value in pairs), ""]


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
    """The latest events up to the moment that one looks at, the newest last."""
    return [_event(each) for each in model.told[-rows:]] if rows > 0 else []


def _event(change: Change) -> Markup:
    bad = change.text.endswith((" is gone", " is dead", " is suspected", "repair goes on"))
    text = one_line(change.text, MAX_EVENT_CHARACTERS)
    return [("faint", f"{change.at} "), ("failed" if bad else "text", text)]


def slider(model: Model, columns: int) -> Markup:
    """The history as a line: a mark for each moment at which something happened, and the one that is looked at."""
    count = len(model.snapshots)
    if count < 2:
        return ("faint", "─" * columns)
    first, last = model.snapshots[0].at, model.snapshots[-1].at
    width = max(columns - len(first) - len(last) - 2, 1)
    cells: list[tuple[str, str]] = [("faint", "─")] * width
    for each in model.events:
        index = each.number - 1 - (model.count - count)
        if each.kind != "lookup" and 0 <= index < count:
            cells[index * (width - 1) // (count - 1)] = ("marker", "┿")
    cells[(count - 1 - model.back) * (width - 1) // (count - 1)] = ("unread" if model.back else "node", "●")
    return [("faint", f"{first} "), *cells, ("faint", f" {last}")]


def bar(model: Model) -> Markup:
    """The status line."""
    if model.problem:
        return ("alert", f" {one_line(model.problem, 200)}")
    moment = f"{model.shown.at}, {model.back} steps back (End: now)" if model.back else f"{model.shown.at} now"
    text = f" {moment} │ {' │ '.join(caption(model)[:2])} │ / find │ ? help │ q quit"
    return ("alert" if model.shown.deficit else "bar", text)


def _named(name: str, state: dict[str, str]) -> str:
    """A node's name, with its sign where it is not ready."""
    known = state.get(name, "")
    return name if known in ("ready", "") else f"{name}{SIGNS.get(known, '?')}"


def _names(names: Iterable[str], state: dict[str, str]) -> str:
    return " ".join(_named(name, state) for name in dict.fromkeys(names)) or "-"


def _some(texts: Iterable[str]) -> list[Markup]:
    listed = list(texts)
    more = [("faint", f"and {len(listed) - MAX_NAMES} more")] if len(listed) > MAX_NAMES else []
    return [*listed[:MAX_NAMES], *more] or [("faint", "none")]
