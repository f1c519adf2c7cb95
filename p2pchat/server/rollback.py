"""Notices that a node's disk is an older copy: what it promised meanwhile is not on it, so it must not take part.

Other nodes remember the sequence of this node's address record, which grows at each start and every few minutes; so a
copy that is older than that is found out, and a younger one is not (docs/operations.md).
"""

from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.chord.commands import FetchRecords
from p2pchat.chord.table import NodeTable
from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Damaged, P2PChatError
from p2pchat.identifiers import Address
from p2pchat.replication.storage import SqliteStore
from p2pchat.server.folder import DataFolder
from p2pchat.wire.connection import Peer, call

RENEW_SECONDS = 300.0
"""Between two sequences of a node that runs."""
ASKED = 8
WAIT_SECONDS = 3.0
BOOTS_FILE = "boots"

Visit = Callable[[Address], Awaitable[Peer]]
"""Connects with whoever is at a ring address, and answers it nothing."""

_log = Logger()


def check_boots(store: SqliteStore, folder: DataFolder) -> None:
    """Compare the database with the folder that it lies in: one of them may have been put back alone.

    Raises:
        Damaged: the database is older.
    """
    kept, counted = folder.read(BOOTS_FILE), store.boots()
    if kept.isdigit() and int(kept) > counted:
        raise Damaged(older(f"its database counts {counted} starts, of {int(kept)}"))
    folder.write(BOOTS_FILE, str(counted).encode())


class Memory:
    """What the ring remembers of this node."""

    def __init__(self, me: NodeRecord, root: Certificate, table: NodeTable, visit: Visit, clock: IReactorTime) -> None:
        self._me, self._root, self._table, self._visit, self._clock = me, root, table, visit, clock

    async def check(self, seeds: Iterable[Address], chance: Random, now: float) -> None:
        """Ask some nodes, before this one answers anybody; nodes that do not answer soon are not waited for.

        Raises:
            Damaged: this node has signed a later record than its disk knows.
        """
        known = [node for node in self._table.states() if node != self._me.identifier]
        records = [self._table.heard(node) for node in chance.sample(known, min(ASKED, len(known)))]
        addresses = {record.ring_address for record in records if record is not None} | set(seeds)
        asking = [Deferred.fromCoroutine(self._ask(address, now)) for address in sorted(addresses, key=str)[:ASKED]]
        for each in asking:
            each.addTimeout(WAIT_SECONDS, self._clock, lambda *_: None)
        results: list[tuple[bool, Any]] = await DeferredList(asking, consumeErrors=True)
        for worked, result in results:
            if not worked and result.check(Damaged):
                result.raiseException()

    async def _ask(self, address: Address, now: float) -> None:
        try:
            link = (await self._visit(address)).link
            try:
                answer = await call(link, self._clock, FetchRecords, nodes=[self._me.identifier])
            finally:
                link.close()
            remembered = [NodeRecord.parse(encoded) for encoded in answer["records"]]
            ours = [each for each in remembered if each.identifier == self._me.identifier]
            for record in ours:
                record.verify(self._root, now)
        except P2PChatError as error:
            _log.info("nobody at {address} says what it remembers: {error}", address=str(address), error=str(error))
            return
        for record in ours:
            if record.sequence >= self._me.sequence and record.encode() != self._me.encode():
                raise Damaged(older(f"its last sequence is {self._me.sequence}, the ring knows {record.sequence}"))


def older(how: str) -> str:
    """What to do about it."""
    return (
        f"This node's disk is an older copy ({how}): what it promised since is not on it, so it must not take part."
        " Move the data folder away and admit a new node; `p2pchat ring restore` brings back what only the copy has."
    )
