"""What the parts of a node are made from: identity, disk, time, chance and network, as one value."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.interfaces import IReactorTime

from p2pchat.chord.table import NodeTable
from p2pchat.crypto.admission import Admission
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import P2PChatError
from p2pchat.replication.store import Disk
from p2pchat.server.leaving import DrainedNodes
from p2pchat.wire.dialer import Reach
from p2pchat.wire.evictions import EvictionList


@dataclass(frozen=True, slots=True)
class Place:
    """What the parts of a node are made from.

    Attributes:
        evictions: the newest list, as it lies on disk.
        now: this machine's clock, seconds since 1970.
        failed: told why the node cannot go on.
        drained: the nodes that left for good, as they lie on disk.
        plan, keep_plan: how the ring went on after it lost majorities, as it lies on disk.
        end: ends the program in an orderly way.
        reach: makes endpoints for addresses.
        run_in_thread: runs a slow function beside the reactor.
    """

    admission: Admission
    record: NodeRecord
    table: NodeTable
    evictions: EvictionList
    disk: Disk
    database: Path
    repair_after: float
    clock: IReactorTime
    now: Callable[[], float]
    chance: Random
    reach: Reach
    run_in_thread: Callable[..., Awaitable[Any]]
    failed: Callable[[P2PChatError], None]
    drained: DrainedNodes
    plan: bytes
    keep_plan: Callable[[bytes], None]
    end: Callable[[], None]
