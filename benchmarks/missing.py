"""What it costs to find and fetch one record of a slot that a member missed: bytes and processor time.

python -m benchmarks.missing [--records N] [--bytes N] [--runs N] [--json]

Two members with databases in memory, one slot with that much mail; no TLS, no fsync.  `first` is the first comparison
after a start, in which each side reads its records once; `again` comes after one more write at the other side.
"""

import argparse
import json
import os
import statistics
import time
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.protocols.amp import Command
from twisted.python.failure import Failure

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.asking import Asking
from p2pchat.replication.comparing import Comparing
from p2pchat.replication.configuration import Configuration, SlotRecord, State
from p2pchat.replication.formats import Formats
from p2pchat.replication.member import Member
from p2pchat.replication.packing import pack, packed_size, unpack
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.store import Store
from p2pchat.replication.uset import ItemState, StoredItem

SLOTS = 1_024
POINT = Identifier(CIRCLE // 8)
ME, OTHER = Identifier(1), Identifier(2)
BOTH = Configuration(2, (ME, OTHER), (ME,))
NOW = 1_700_000_000


class Node:
    """A member over its store."""

    def __init__(self, me: Identifier) -> None:
        self.me = me
        self.member = Member(me, SLOTS, False, Formats())
        self.store = SqliteStore(":memory:", me, create=True, slots=SLOTS)
        self.slot = self.member.ground.slot_of(POINT)
        self.store.commit([lambda store: store.put_slot(SlotRecord(self.slot, BOTH, State.ACTIVE))])

    def put(self, items: list[StoredItem]) -> None:
        """Write items."""

        def turn(store: Store) -> None:
            for item in items:
                store.put_item(POINT, item)

        self.store.commit([turn])

    def turns(self, turn: Any) -> "Deferred[Any]":
        """A turn of this node's member."""
        result = self.store.commit([lambda store: turn(store, [])])[0]
        return fail(result) if isinstance(result, Failure) else succeed(result)

    def ask(self, caller: Identifier, request: Any) -> Any:
        """What this member answers."""
        return self.store.commit([lambda store: self.member.answer(store, caller, request, NOW)])[0][0]


class Pair:
    """Two members, and what goes between them."""

    def __init__(self, records: int, size: int) -> None:
        self.mine, self.theirs = Node(ME), Node(OTHER)
        self.sent = self.calls = 0
        items = [_item(number, size) for number in range(records)]
        self.theirs.put(items)
        self.mine.put(items[:-1])
        asking = Asking(ME, self._never, self._call, Clock(), Random(1), lambda node: True)
        self._comparing = Comparing(
            asking, self.mine.member, self.mine.turns, lambda slot, known, node: None, lambda: NOW
        )

    async def _never(self, node: Identifier, request: Any) -> Any:
        raise AssertionError("this member asks itself nothing")

    async def _call(
        self, node: Identifier, command: type[Command], /, *, timeout: float = 0.0, **arguments: Any
    ) -> dict[str, Any]:
        """As over a link: packed and unpacked both ways."""
        request = arguments["request"]
        asked = unpack(type(request), pack(request))
        reply = self.theirs.ask(ME, asked)
        self.sent += packed_size(request) + packed_size(reply)
        self.calls += 1
        return {"reply": unpack(type(reply), pack(reply))}

    def compare(self) -> dict[str, float]:
        """One comparison; what it cost.

        Raises:
            AssertionError: the member still misses something.
        """
        self.sent = self.calls = 0
        began = time.process_time()
        work = Deferred.fromCoroutine(self._comparing.compare(OTHER, BOTH, (self.mine.slot,), _spend))
        spent = time.process_time() - began
        whole: list[Any] = []
        work.addCallback(whole.append)
        if not whole or whole[0][1] != (self.mine.slot,) or self._count(self.mine) != self._count(self.theirs):
            raise AssertionError("the comparison did not end")
        return {"bytes": self.sent, "calls": self.calls, "ms": 1000 * spent}

    def _count(self, node: Node) -> int:
        return int(node.store.measure(POINT)[0])


def _item(number: int, size: int) -> StoredItem:
    return StoredItem(Random(number).randbytes(32), ItemState.PRESENT, NOW, os.urandom(size), bytes(100))


async def _spend(size: int) -> bool:
    return True


def main() -> None:
    """Compare twice in each of some pairs; medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000, help="envelopes in the slot (10000)")
    parser.add_argument("--bytes", type=int, default=1_500, help="of each (1500)")
    parser.add_argument("--runs", type=int, default=5, help="pairs (5)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    runs: list[dict[str, dict[str, float]]] = []
    for _ in range(options.runs):
        pair = Pair(options.records, options.bytes)
        first = pair.compare()
        pair.theirs.put([_item(options.records, options.bytes)])
        runs.append({"first": first, "again": pair.compare()})
    for case in ("first", "again"):
        figures = {figure: statistics.median(run[case][figure] for run in runs) for figure in ("bytes", "calls", "ms")}
        if options.json:
            print(json.dumps({"case": case, **figures}), flush=True)
        else:
            print(f"{case:<6} {figures['bytes']:12,.0f} bytes {figures['calls']:5.0f} calls {figures['ms']:8.1f} ms")


if __name__ == "__main__":
    main()
