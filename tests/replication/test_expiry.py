"""Old mail goes, but not before a node that starts has compared its clock with the others'."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.service import EXPIRY_TURN_SECONDS
from p2pchat.replication.store import Store
from p2pchat.replication.uset import EXPIRY_SECONDS, Item
from tests.replication.ring import Ring

POINT = Identifier(CIRCLE // 3)
COMPARED_SECONDS = 120.0
"""By then a node has compared clocks twice."""


class ExpiryTests(SynchronousTestCase):
    """One node, whose clock says that its mail is too old."""

    def setUp(self) -> None:
        self.ring = Ring(nodes=1)
        self.addCleanup(self.ring.close)
        self.node = self.ring.nodes[0]
        self.ring.ask(self.node.service.add(POINT, b"", [Item(bytes(32), b"mail")]))

    def held(self) -> int:
        """How many items the node's disk has."""
        found: list[int] = []

        def turn(store: Store) -> None:
            found.append(store.measure(POINT)[0])

        self.node.disk.run(turn)
        return found[0]

    def start_again(self, later: float) -> None:
        self.node.crash()
        self.ring.begin += later
        self.node.start()

    def test_a_node_that_starts_with_a_clock_ahead_deletes_nothing_before_clocks_are_compared(self) -> None:
        self.start_again(EXPIRY_SECONDS + 60)
        self.ring.run(COMPARED_SECONDS)
        self.assertEqual(self.held(), 1)
        self.ring.begin -= EXPIRY_SECONDS + 60  # what the comparison comes to
        self.ring.run(2 * EXPIRY_TURN_SECONDS)
        self.assertEqual(self.held(), 1)

    def test_what_is_too_old_goes(self) -> None:
        self.start_again(EXPIRY_SECONDS + 60)
        self.ring.run(EXPIRY_TURN_SECONDS + 1)
        self.assertEqual(self.held(), 0)
