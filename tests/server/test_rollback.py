"""A disk that is an older copy: noticed by the database's count of starts, and by what the ring remembers."""

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.commands import FetchRecords
from p2pchat.chord.table import NodeTable
from p2pchat.errors import Damaged, NoNodeReachable
from p2pchat.identifiers import Address, Identifier
from p2pchat.replication.storage import SqliteStore
from p2pchat.server.folder import DataFolder
from p2pchat.server.rollback import WAIT_SECONDS, Memory, check_boots
from p2pchat.wire.connection import Link, Peer, Role
from tests.wire.network import MemoryNetwork
from tests.wire.ring import NOW, Node, authority

SEED = Address("192.0.2.9", 7401)


class Remembering(amp.CommandLocator):
    """Answers with these records, whatever it is asked for."""

    def __init__(self, records: list[bytes]) -> None:
        self._records = records

    @FetchRecords.responder
    def fetch(self, nodes: list[Identifier], like: int | None = None) -> dict[str, Any]:
        return {"records": self._records}


class MemoryTests(SynchronousTestCase):
    """What other nodes remember."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.node = Node(self.network, 1)

    def asked(self, remembered: list[bytes], sequence: int = 5) -> Deferred[None]:
        async def visit(address: Address) -> Peer:
            if address != SEED:
                raise NoNodeReachable("Nobody is there.")
            locator = Remembering(remembered)
            _, ours = self.network.pair(lambda: Link(self.network.clock, [locator]), lambda: Link(self.network.clock))
            return Peer(Role.NODE, ours)

        me, table = self.node.addressed(sequence), NodeTable(lambda _: None)
        memory = Memory(me, authority("ring").root, table, visit, self.network.clock)
        checking = Deferred.fromCoroutine(memory.check([SEED, Address("192.0.2.8", 7401)], Random(1), NOW))
        self.network.flush()
        return checking

    def test_a_later_record_of_ours_means_an_older_disk(self) -> None:
        later = self.node.addressed(6).encode()
        self.failureResultOf(self.asked([later]), Damaged)
        self.node.ring_address = Address("192.0.2.77", 7401)
        moved = self.node.addressed(5).encode()
        self.node.ring_address = Address("192.0.2.1", 7401)
        self.failureResultOf(self.asked([moved]), Damaged)

    def test_what_we_know_of_ourselves_is_no_sign(self) -> None:
        for remembered in ([], [self.node.addressed(4).encode()], [self.node.addressed(5).encode()]):
            self.assertIsNone(self.successResultOf(self.asked(remembered)))

    def test_nobody_can_stop_us_with_what_we_did_not_sign(self) -> None:
        forged = self.node.addressed(6).encode()[:-64] + bytes(64)
        other = Node(self.network, 2).addressed(99).encode()
        for remembered in ([forged], [other], [b"anything"]):
            self.assertIsNone(self.successResultOf(self.asked(remembered)))

    def test_a_silent_node_is_not_waited_for(self) -> None:
        async def visit(address: Address) -> Peer:
            return await Deferred()

        memory = Memory(
            self.node.addressed(5), authority("ring").root, NodeTable(lambda _: None), visit, self.network.clock
        )
        checking = Deferred.fromCoroutine(memory.check([SEED], Random(1), NOW))
        self.assertNoResult(checking)
        self.network.clock.advance(WAIT_SECONDS)
        self.successResultOf(checking)


class BootTests(SynchronousTestCase):
    """The database and the folder around it."""

    def test_a_database_that_was_put_back_alone_is_refused(self) -> None:
        folder = DataFolder.open(Path(self.mktemp()))
        self.addCleanup(folder.close)
        store = SqliteStore(folder.database, Identifier(9), create=True)
        self.addCleanup(store.close)
        for _ in range(3):
            check_boots(store, folder)
            store.commit([lambda turn: turn.next_boot()])
        check_boots(store, folder)
        older = SqliteStore(":memory:", Identifier(9), create=True)
        self.addCleanup(older.close)
        self.assertRaises(Damaged, check_boots, older, folder)
