"""What the ring screen shows: snapshots of the ring, what changed between them, and which node is selected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from p2pchat.tui.text import one_line

MAX_SNAPSHOTS = 900
"""Steps back in time: fifteen minutes at one a second."""

MAX_EVENTS = 500

MAX_WAYS_TOLD = 2
"""Of one moment, as events: they shall not push out what happens to nodes."""

MAX_WAYS = 20
"""Lookups that are drawn at once."""

MAX_WORD_CHARACTERS = 60
NAME_CHARACTERS = 8

CIRCLE = 2**32
"""Identifiers as their first 8 hex digits."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One node as `ring status` tells it."""

    name: str  # 8 hex digits
    address: str
    state: str
    predecessor: str | None
    successors: tuple[str, ...]
    fingers: tuple[str, ...]
    users: int
    backups: int
    sessions: int
    slots: int
    least: int
    wanted: int
    deficit: int

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of `ring status --json`."""
        members = row.get("members") or {}
        return cls(
            name=_name(row["node"]),
            address=one_line(str(row.get("address") or ""), MAX_WORD_CHARACTERS),
            state=one_line(str(row.get("state") or ""), MAX_WORD_CHARACTERS),
            predecessor=_name(row["predecessor"]) if row.get("predecessor") else None,
            successors=tuple(_name(each) for each in row.get("successors") or ()),
            fingers=tuple(_name(each) for each in row.get("fingers") or ()),
            users=int(row.get("users") or 0),
            backups=int(row.get("backups") or 0),
            sessions=int(row.get("sessions") or 0),
            slots=int(row.get("slots") or 0),
            least=int(members.get("least") or 0),
            wanted=int(members.get("wanted") or 0),
            deficit=int(row.get("deficit") or 0),
        )

    @property
    def place(self) -> float:
        """Where on the circle, 0 <= place < 1."""
        return place_of(self.name)


@dataclass(frozen=True, slots=True)
class User:
    """An account that the asked node keeps, and who owns it."""

    name: str
    owner: str

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of `ring status --users`."""
        return cls(str(row["user"]), _name(row.get("owner") or ""))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ring at one moment, nodes in ring order."""

    nodes: tuple[Node, ...] = ()
    users: tuple[User, ...] = ()
    at: str = ""  # HH:MM:SS
    ways: tuple[tuple[str, ...], ...] = ()  # of lookups that passed: who looked, who was asked, who was found

    @classmethod
    def of(cls, rows: Sequence[Row], users: Sequence[Row], at: str) -> Self:
        """From the rows that a node gave."""
        nodes = tuple(sorted((Node.of(row) for row in rows), key=lambda node: node.name))
        return cls(nodes, tuple(User.of(row) for row in users), at)

    @property
    def deficit(self) -> int:
        """Copies that are missing, over all nodes."""
        return sum(node.deficit for node in self.nodes)

    def arc(self, node: Node) -> tuple[float, float]:
        """Where a node's arc begins, and which part of the circle it is; nothing while its predecessor is unknown."""
        if len(self.nodes) == 1 or node.predecessor == node.name:
            return node.place, 1.0
        start = node.place if node.predecessor is None else place_of(node.predecessor)
        return start, (node.place - start) % 1.0

    def sharing(self, before: "Snapshot") -> "Snapshot":
        """The same, its unchanged parts those of the snapshot before: fifteen minutes then cost little."""
        known = {node.name: node for node in before.nodes}
        nodes = tuple(known[node.name] if known.get(node.name) == node else node for node in self.nodes)
        users = before.users if before.users == self.users else self.users
        return replace(self, nodes=nodes, users=users)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened: `kind` is joined, gone, state, address, deficit, members or trace."""

    kind: str
    node: str
    text: str
    at: str = ""  # HH:MM:SS
    number: int = 0  # of the snapshot that shows it first


def passed(rows: Sequence[Row], before: Mapping[str, int]) -> tuple[list[tuple[str, ...]], dict[str, int]]:
    """The ways of lookups that are new since `before` (the last number by node), and the numbers now.

    A node that was not known before shows none: how long ago they were is not known.  One that began anew counts anew.
    """
    ways, numbers = list[tuple[str, ...]](), dict[str, int]()
    for row in rows:
        node, lookups = _name(row["node"]), list(row.get("lookups") or ())[-MAX_WAYS:]
        last = max((int(each["number"]) for each in lookups), default=0)
        known = before.get(node, last)
        known = 0 if last < known else known
        for each in lookups:
            way = (node, *(_name(hop) for hop in each["hops"]), _name(each["owner"]))
            ways += [way] if int(each["number"]) > known and len(set(way)) > 1 else []
        numbers[node] = last
    return ways[-MAX_WAYS:], numbers


@dataclass(frozen=True, slots=True)
class Found:
    """Where a user or an identifier belongs, and how it was found."""

    target: str
    identifier: str  # hex
    slot: int
    epoch: str
    owner: str
    members: tuple[str, ...]
    hops: tuple[str, ...]
    copies: int

    @classmethod
    def of(cls, row: Row) -> Self:
        """From what `ring trace --json` prints."""
        return cls(
            target=str(row["target"]),
            identifier=str(row["identifier"]),
            slot=int(row["slot"]),
            epoch=str(row["epoch"]),
            owner=_name(row["owner"]),
            members=tuple(_name(each) for each in row["members"]),
            hops=tuple(_name(hop["node"]) for hop in row["hops"]),
            copies=int(row["copies"]),
        )

    @property
    def place(self) -> float:
        """Where on the circle, 0 <= place < 1."""
        return place_of(self.identifier[:8])


@dataclass(frozen=True, slots=True)
class Model:
    """The history of the ring as far as we saw it, and where in it one looks."""

    snapshots: tuple[Snapshot, ...] = ()
    events: tuple[Change, ...] = ()
    count: int = 0  # snapshots that we saw, also those that are let go of
    selected: str = ""
    back: int = 0  # snapshots before the newest
    problem: str = ""
    fingers_drawn: bool = False
    found: Found | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)  # of each node's last lookup that we saw

    @property
    def shown(self) -> Snapshot:
        """The snapshot that one looks at."""
        return self.snapshots[-1 - self.back] if self.snapshots else Snapshot()

    @property
    def node(self) -> Node | None:
        """The selected node in the shown snapshot."""
        return next((node for node in self.shown.nodes if node.name == self.selected), None)

    @property
    def told(self) -> tuple[Change, ...]:
        """What had happened up to the moment that one looks at."""
        return tuple(each for each in self.events if each.number <= self.count - self.back)

    def looked_at(self, rows: Sequence[Row], users: Sequence[Row], at: str) -> "Model":
        """With what a node answered, and the lookups that passed since it answered before."""
        ways, numbers = passed(rows, self.numbers)
        snapshot = replace(Snapshot.of(rows, users, at), ways=tuple(dict.fromkeys(ways)))
        return replace(self.seen(snapshot), numbers=numbers)

    def seen(self, snapshot: Snapshot) -> "Model":
        """With a new snapshot, and what it changed as events; who looks back goes on looking at the same moment."""
        before = self.snapshots[-1] if self.snapshots else snapshot
        number = self.count + 1
        told = [Change("lookup", way[0], _way_text(way)) for way in snapshot.ways[:MAX_WAYS_TOLD]]
        events = tuple(replace(each, at=snapshot.at, number=number) for each in [*told, *changes(before, snapshot)])
        selected = self.selected or (snapshot.nodes[0].name if snapshot.nodes else "")
        back = min(self.back + 1, MAX_SNAPSHOTS - 1) if self.back else 0
        return replace(
            self,
            snapshots=(*self.snapshots, snapshot.sharing(before))[-MAX_SNAPSHOTS:],
            events=(*self.events, *events)[-MAX_EVENTS:],
            count=number,
            selected=selected,
            back=back,
            problem="",
        )

    def traced(self, found: Found) -> "Model":
        """With where somebody belongs; the owner is selected."""
        way = " → ".join(found.hops) or "known at once"
        copies = "1 copy" if found.copies == 1 else f"{found.copies} copies"
        text = f"{found.target} is in slot {found.slot} at {found.owner}, {copies}; hops: {way}"
        event = Change("trace", found.owner, text, self.shown.at, self.count)
        return replace(self, found=found, selected=found.owner, events=(*self.events, event)[-MAX_EVENTS:], back=0)

    def stepped(self, steps: int) -> "Model":
        """With the selection so many nodes further clockwise."""
        names = [node.name for node in self.shown.nodes]
        if not names:
            return self
        place = names.index(self.selected) if self.selected in names else -steps
        return replace(self, selected=names[(place + steps) % len(names)])

    def looked(self, steps: int) -> "Model":
        """Looking so many snapshots further back (negative: forward)."""
        return replace(self, back=max(0, min(self.back + steps, len(self.snapshots) - 1)))


def _way_text(way: tuple[str, ...]) -> str:
    return f"lookup {' → '.join(way)}"


def _name(given: Any) -> str:
    """A node's name as somebody gave it, fit for one cell after the other."""
    return one_line(str(given), NAME_CHARACTERS)


def place_of(name: str) -> float:
    """Where 8 hex digits lie on the circle, 0 <= place < 1."""
    return int(name, 16) / CIRCLE


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """What happened between two snapshots, in words."""
    old, new = ({node.name: node for node in each.nodes} for each in (before, after))
    told = [Change("joined", name, f"{name} joined") for name in new if name not in old]
    told += [Change("gone", name, f"{name} is gone") for name in old if name not in new]
    for name in old.keys() & new.keys():
        told += _changed(old[name], new[name])
    if before.deficit != after.deficit:
        missing = f"{after.deficit} copies missing, repair goes on" if after.deficit else "no copies missing"
        told.append(Change("deficit", "", missing))
    return sorted(told, key=lambda each: each.text)


def _changed(old: Node, new: Node) -> list[Change]:
    told = []
    if old.state != new.state:
        told.append(Change("state", new.name, f"{new.name} is {new.state}"))
    if old.address != new.address:
        told.append(Change("address", new.name, f"{new.name} moved to {new.address}"))
    if (old.least, old.wanted) != (new.least, new.wanted) and new.state == "ready":
        text = f"{new.name}: every slot has {new.least} members or more, {new.wanted} are wanted"
        told.append(Change("members", new.name, text))
    return told
