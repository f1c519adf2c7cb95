"""What the ring screen shows: snapshots of the ring, what changed between them, and which node is selected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

MAX_SNAPSHOTS = 600
"""Steps back in time: ten minutes at one a second."""

MAX_EVENTS = 200

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
            name=str(row["node"]),
            address=str(row.get("address") or ""),
            state=str(row.get("state") or ""),
            predecessor=row.get("predecessor"),
            successors=tuple(row.get("successors") or ()),
            fingers=tuple(row.get("fingers") or ()),
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
        return int(self.name, 16) / 2**32


@dataclass(frozen=True, slots=True)
class User:
    """An account that the asked node keeps, and who owns it."""

    name: str
    owner: str

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of `ring status --users`."""
        return cls(str(row["user"]), str(row.get("owner") or ""))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ring at one moment, nodes in ring order."""

    nodes: tuple[Node, ...] = ()
    users: tuple[User, ...] = ()
    at: str = ""  # HH:MM:SS

    @classmethod
    def of(cls, rows: Sequence[Row], users: Sequence[Row], at: str) -> Self:
        """From the rows that a node gave."""
        nodes = tuple(sorted((Node.of(row) for row in rows), key=lambda node: node.name))
        return cls(nodes, tuple(User.of(row) for row in users), at)

    @property
    def deficit(self) -> int:
        """Copies that are missing, over all nodes."""
        return sum(node.deficit for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Model:
    """The history of the ring as far as we saw it, and where in it one looks."""

    snapshots: tuple[Snapshot, ...] = ()
    events: tuple[str, ...] = ()
    selected: str = ""
    back: int = 0  # snapshots before the newest
    problem: str = ""

    @property
    def shown(self) -> Snapshot:
        """The snapshot that one looks at."""
        return self.snapshots[-1 - self.back] if self.snapshots else Snapshot()

    @property
    def node(self) -> Node | None:
        """The selected node in the shown snapshot."""
        return next((node for node in self.shown.nodes if node.name == self.selected), None)

    def seen(self, snapshot: Snapshot) -> "Model":
        """With a new snapshot, and what it changed as events; who looks back goes on looking at the same moment."""
        before = self.snapshots[-1] if self.snapshots else snapshot
        events = tuple(f"{snapshot.at} {text}" for text in changes(before, snapshot))
        selected = self.selected or (snapshot.nodes[0].name if snapshot.nodes else "")
        back = min(self.back + 1, MAX_SNAPSHOTS - 1) if self.back else 0
        return replace(
            self,
            snapshots=(*self.snapshots, snapshot)[-MAX_SNAPSHOTS:],
            events=(*self.events, *events)[-MAX_EVENTS:],
            selected=selected,
            back=back,
            problem="",
        )

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


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """What happened between two snapshots, in words."""
    old, new = ({node.name: node for node in each.nodes} for each in (before, after))
    told = [f"{name} joined" for name in new if name not in old]
    told += [f"{name} is gone" for name in old if name not in new]
    for name in old.keys() & new.keys():
        if old[name].state != new[name].state:
            told.append(f"{name} is {new[name].state}")
        if old[name].address != new[name].address:
            told.append(f"{name} moved to {new[name].address}")
    if before.deficit != after.deficit:
        told.append(f"{after.deficit or 'no'} copies missing" + (", repair goes on" if after.deficit else ""))
    return sorted(told)
