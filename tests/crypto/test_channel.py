"""Tests of channel keys: bound to one connection and one pair of sessions, and short-lived."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.channel import ChannelKey, ChannelKeyring
from p2pchat.crypto.primitives import hybrid_generate, hybrid_public
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from tests.crypto.keys import Drawn, identity, session_key

EXPORTER = bytes(32)


def session(user: str, key: int, after: SessionRecord | None = None) -> SessionRecord:
    return SessionRecord.create(identity(user), session_key(key), Identifier(7), b"", 5, after, True)


class ChannelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bob, self.alice = session("bob", 1), session("alice", 2)
        self.ring = ChannelKeyring(session_key(1), self.bob, self.alice, EXPORTER, Drawn())

    def test_the_other_end_reads_the_key(self) -> None:
        key = self.ring.current(0.0)
        read = ChannelKey.parse(key.encode(), self.bob, self.alice, EXPORTER)
        self.assertEqual((read, read.key_id), (key, key.key_id))
        private = self.ring.private(key.key_id, 0.0)
        assert private is not None
        self.assertEqual(hybrid_public(private), key.public_key)

    def test_other_connections_people_and_sessions_are_refused(self) -> None:
        encoded = self.ring.current(0.0).encode()
        later = session("bob", 3, self.bob)
        for owner, sender, exporter in (
            (self.bob, self.alice, bytes([1]) * 32),
            (self.bob, session("carol", 4), EXPORTER),
            (session("carol", 4), self.alice, EXPORTER),
            (later, self.alice, EXPORTER),
        ):
            self.assertRaises(Misbehaved, ChannelKey.parse, encoded, owner, sender, exporter)
        forged = ChannelKey.create(session_key(9), self.bob, self.alice, EXPORTER, hybrid_generate(Drawn(1)))
        self.assertRaises(Misbehaved, ChannelKey.parse, forged.encode(), self.bob, self.alice, EXPORTER)

    def test_a_key_is_replaced_after_an_hour_and_dropped_a_minute_later(self) -> None:
        first = self.ring.current(0.0)
        self.assertEqual(self.ring.current(3599.0), first)
        second = self.ring.current(3600.0)
        self.assertNotEqual(second.key_id, first.key_id)
        self.assertIsNotNone(self.ring.private(first.key_id, 3659.0))
        self.assertIsNone(self.ring.private(first.key_id, 3660.0))
        self.assertIsNotNone(self.ring.private(second.key_id, 3660.0))

    def test_a_key_is_replaced_after_ten_thousand_messages(self) -> None:
        first = self.ring.current(0.0)
        for _ in range(10_000):
            self.ring.private(first.key_id, 1.0)
        self.assertNotEqual(self.ring.current(1.0), first)

    def test_nothing_opens_after_the_connection(self) -> None:
        key = self.ring.current(0.0)
        self.ring.close()
        self.assertIsNone(self.ring.private(key.key_id, 0.0))
