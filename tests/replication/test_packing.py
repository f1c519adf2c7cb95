"""The encoding of replication: every value comes back, everything else is refused."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.configuration import Configuration, Group, SlotRecord, State
from p2pchat.replication.packing import pack, unpack
from p2pchat.replication.register import Ballot, Register, Versioned
from p2pchat.replication.requests import AskReply, Known, SetReply, Status
from p2pchat.replication.transfers import Position, PullRequest
from p2pchat.replication.uset import Item, ItemState

NODES = st.integers(0, CIRCLE - 1).map(Identifier)
NATURALS = st.integers(0, 2**64 - 1)
CONFIGURATION = Configuration(7, (Identifier(1), Identifier(5)), (Identifier(9),))


class PackingTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(NATURALS, NATURALS, NODES, st.binary(max_size=100) | st.none(), st.lists(st.binary(), max_size=8))
    def test_registers_come_back(
        self, epoch: int, counter: int, node: Identifier, value: bytes | None, marks: list[bytes]
    ) -> None:
        ballot = Ballot(epoch, counter, node)
        register = Register(ballot, ballot, Versioned(counter, tuple(marks), value))
        self.assertEqual(unpack(Register, pack(register)), register)

    def test_every_shape_comes_back(self) -> None:
        for value in (
            SlotRecord(3, CONFIGURATION, State.LEARN, frozen=True, successor=CONFIGURATION),
            SlotRecord(3, CONFIGURATION, State.ACTIVE),
            AskReply((Group(CONFIGURATION, (1, 2, 1023)),), None),
            PullRequest(CONFIGURATION, (), Position(Identifier(8), 255, b"x")),
            SetReply(Status.OK, known=(Known(b"a", ItemState.UNOPENABLE),), items=(Item(b"b", b"c"),), more=True),
        ):
            self.assertEqual(unpack(type(value), pack(value)), value)

    def test_every_shorter_and_longer_value_is_refused(self) -> None:
        encoded = pack(SetReply(Status.OK, CONFIGURATION, known=(Known(b"a", ItemState.PRESENT),)))
        for length in range(len(encoded)):
            self.assertRaises(Misbehaved, unpack, SetReply, encoded[:length])
        self.assertRaises(Misbehaved, unpack, SetReply, encoded + b"\0")

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200))
    def test_noise_is_refused_and_nothing_worse(self, noise: bytes) -> None:
        for kind in (SlotRecord, SetReply, AskReply, PullRequest):
            try:
                unpack(kind, noise)
            except Misbehaved:
                continue

    def test_long_counts_do_not_take_memory(self) -> None:
        self.assertRaises(Misbehaved, unpack, AskReply, b"\xff\xff\xff\xff" + bytes(100))

    def test_numbers_that_do_not_fit_are_a_bug_of_ours(self) -> None:
        self.assertRaises(ValueError, pack, Group(CONFIGURATION, (1 << 64,)))
        self.assertRaises(ValueError, pack, Group(CONFIGURATION, (-1,)))
        self.assertRaises(ValueError, pack, Versioned(-1))
