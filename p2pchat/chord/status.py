"""What others may know about the ring: states of nodes, results of lookups, the whole status."""

from dataclasses import dataclass
from enum import StrEnum

from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.identifiers import Identifier


class NodeState(StrEnum):
    """How far a node is, as far as we know it."""

    JOINING = "joining"
    READY = "ready"
    LEAVING = "leaving"
    SUSPECTED = "suspected"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Hop:
    """One node that a lookup asked, and how long its answer took (None: it did not answer)."""

    identifier: Identifier
    milliseconds: float | None


@dataclass(frozen=True, slots=True)
class Found:
    """Who should own a point, and the nodes that were asked for it, in order."""

    owner: Identifier
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node of the table: its record and what we believe about it."""

    identifier: Identifier
    record: NodeRecord
    state: NodeState


@dataclass(frozen=True, slots=True)
class RingStatus:
    """Our node's place on the ring, and every node that we know (ourselves among them), sorted by identifier."""

    me: Identifier
    state: NodeState
    predecessor: Identifier | None
    successors: tuple[Identifier, ...]
    fingers: tuple[Identifier, ...]
    nodes: tuple[NodeStatus, ...]
