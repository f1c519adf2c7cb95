"""What the service answers to the parts above it."""

from dataclasses import dataclass, field

from p2pchat.identifiers import Identifier
from p2pchat.replication.uset import Item


@dataclass(frozen=True, slots=True)
class Changed:
    """A register after a change; `version` counts its changes, `repeated` says that an earlier try had done it."""

    value: bytes | None = field(repr=False)
    version: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A register as it stands; value None and version 0 when it is absent."""

    value: bytes | None = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True)
class Stored:
    """How many members keep the items, and how many copies the ring aims at."""

    copies: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Page:
    """Items in the order of their ids; `next` is the `after` of the following page, or None after the last."""

    items: tuple[Item, ...]
    next: bytes | None


@dataclass(frozen=True, slots=True)
class Trace:
    """Where an identifier's records are kept."""

    slot: int
    epoch: int
    members: tuple[Identifier, ...]
    owner: Identifier
    """The first live member clockwise from the slot's end."""
    copies: int
    """Members that are believed alive."""


@dataclass(frozen=True, slots=True)
class ReplicationStatus:
    """One node's numbers.

    Attributes:
        users, backups: accounts that this node owns, and those it keeps for other owners.
        sessions: session records among them that it owns.
        slots: slots that it is a member of.
        least, wanted: members of its smallest configuration, and how many there should be.
        deficit: copies missing against the wanted size, in records.
        moving: slots in which it has yet to collect what was chosen before.
        passed_over: nodes that it gives no slots for a while, because they made no progress with copies.
    """

    users: int
    backups: int
    sessions: int
    slots: int
    least: int
    wanted: int
    deficit: int
    moving: int
    passed_over: tuple[Identifier, ...] = ()
