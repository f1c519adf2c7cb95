"""What an operator sees of a node: one row for each, in the form that scripts are written against."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from p2pchat.identifiers import Identifier, name


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node; the numbers of a node that does not answer are 0."""

    node: Identifier
    address: str
    clients: str
    state: str
    predecessor: Identifier | None = None
    successors: tuple[Identifier, ...] = ()
    fingers: tuple[Identifier, ...] = ()
    users: int = 0
    backups: int = 0
    sessions: int = 0
    slots: int = 0
    members_least: int = 0
    members_wanted: int = 0
    deficit: int = 0
    lookups: bytes = b""  # as server/passing.py packs them
    passed_over: tuple[Identifier, ...] = ()
    """Nodes that it gives no slots for a while: they made no progress with copies."""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """From the values of a command."""
        row = dict(values)
        row["successors"], row["fingers"] = tuple(row["successors"]), tuple(row["fingers"])
        row["lookups"], row["passed_over"] = row.get("lookups") or b"", tuple(row.get("passed_over") or ())
        return cls(**row)

    def values(self) -> dict[str, Any]:
        """As the values of a command."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def shown(self) -> dict[str, Any]:
        """As `p2pchat ring status --json` prints it; `passed_over` is there only while there are some."""
        passed_over = {"passed_over": [name(each) for each in self.passed_over]} if self.passed_over else {}
        return {
            "node": name(self.node),
            "address": self.address,
            "clients": self.clients,
            "state": self.state,
            "predecessor": None if self.predecessor is None else name(self.predecessor),
            "successors": [name(each) for each in self.successors],
            "fingers": [name(each) for each in self.fingers],
            "users": self.users,
            "backups": self.backups,
            "sessions": self.sessions,
            "slots": self.slots,
            "members": {"least": self.members_least, "wanted": self.members_wanted},
            "deficit": self.deficit,
            **passed_over,
        }
