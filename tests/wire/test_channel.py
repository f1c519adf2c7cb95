"""Channels between agents: the key of the session record, both names, the exporter; over real TLS in memory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.certificates import session_certificate
from p2pchat.crypto.primitives import spki
from p2pchat.errors import Misbehaved, P2PChatError, RingUnknown, SessionReplaced, TryElsewhere
from p2pchat.identifiers import Address
from p2pchat.wire import channel
from p2pchat.wire.channel import EXPORTER_LABEL, ChannelGreeting, channel_port, dial_channel
from p2pchat.wire.connection import Peer, call
from p2pchat.wire.hello import Versions
from p2pchat.wire.tls import TLS, channel_tls, visitor_tls
from tests.wire.echo import Echo, Echoing
from tests.wire.network import MemoryNetwork
from tests.wire.ring import NOW

RING = bytes(range(32))
HERE = Address("192.0.2.1", 40_001)


class Agent:
    """One agent: a session key and what it says."""

    def __init__(self, user: str) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.spki = spki(self.key.public_key())
        self.tls = channel_tls(self.key, session_certificate(self.key, NOW))
        self.says = ChannelGreeting(RING, user, "", bytes(32), 3, 0, b"session record")
        self.heard: list[ChannelGreeting] = []
        self.channels: list[Peer] = []
        self.refuses: P2PChatError | None = None
        self.echoing = Echoing()

    async def meet(self, greeting: ChannelGreeting, key: bytes) -> ChannelGreeting:
        self.heard.append(greeting)
        self.known = key
        if self.refuses is not None:
            raise self.refuses
        return replace(self.says, expected=greeting.user)

    def welcome(self, peer: Peer, _greeting: ChannelGreeting) -> Sequence[amp.CommandLocator]:
        self.channels.append(peer)
        return [self.echoing]


class ChannelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.alice, self.bob = Agent("alice"), Agent("bob")
        self.network.ports[HERE] = channel_port(self.bob.tls, self.network.clock, self.bob.meet, self.bob.welcome)

    def dial(self, expected_spki: bytes | None = None, tls: TLS | None = None, **said: Any) -> "Deferred[Any]":
        dialling = Deferred.fromCoroutine(
            dial_channel(
                self.network.reach(HERE),
                tls or self.alice.tls,
                self.network.clock,
                expected_spki or self.bob.spki,
                replace(self.alice.says, **{"expected": "bob", **said}),
                self.alice.welcome,
            )
        )
        self.network.flush()
        return dialling

    def test_both_know_each_other_and_can_ask(self) -> None:
        peer, heard = self.successResultOf(self.dial())
        self.assertEqual(
            (heard.user, heard.expected, heard.epoch, heard.session), ("bob", "alice", 3, b"session record")
        )
        self.assertEqual((self.bob.known, peer.spki), (self.alice.spki, self.bob.spki))
        for link in (peer.link, self.bob.channels[0].link):
            asked = Deferred.fromCoroutine(call(link, self.network.clock, Echo, text="hello"))
            self.network.flush()
            self.assertEqual(self.successResultOf(asked), {"text": "hello"})

    def test_exporter_is_the_same_at_both_ends_and_new_each_time(self) -> None:
        secrets = set()
        for _ in range(2):
            peer, _ = self.successResultOf(self.dial())
            ours, theirs = (each.link.exporter(EXPORTER_LABEL) for each in (peer, self.bob.channels[-1]))
            self.assertEqual(ours, theirs)
            secrets.add(ours)
        self.assertEqual({len(each) for each in secrets}, {32})
        self.assertEqual(len(secrets), 2)

    def test_agents_of_neighbouring_versions_speak_the_one_that_both_know(self) -> None:
        for ours, theirs, version in (((1, 2), (1, 1), 1), ((2, 3), (1, 2), 2), ((1, 1), (1, 1), 1)):
            self.bob.says = replace(self.bob.says, versions=Versions(*theirs))
            peer, _ = self.successResultOf(self.dial(versions=Versions(*ours)))
            self.assertEqual((peer.version, self.bob.channels[-1].version), (version, version))

    def test_agents_too_far_apart_say_who_has_to_be_updated(self) -> None:
        for ours, theirs in (((4, 5), (1, 1)), ((1, 1), (4, 5))):
            self.bob.says = replace(self.bob.says, versions=Versions(*theirs))
            why = self.failureResultOf(self.dial(versions=Versions(*ours)), RingUnknown)
            self.assertIn("update the program that speaks 1.", str(why.value))
        self.assertEqual(self.bob.channels, [])

    def test_an_agent_from_before_versions_were_said_speaks_the_first(self) -> None:
        def said_before(greeting: ChannelGreeting) -> dict[str, Any]:
            said = {each: getattr(greeting, each) for each in ChannelGreeting.__slots__ if each != "versions"}
            return said if greeting.user == "alice" else {**said, "version": 2, "least": 1}

        self.bob.says = replace(self.bob.says, versions=Versions(1, 2))
        self.patch(channel, "_said", said_before)
        peer, heard = self.successResultOf(self.dial())
        self.assertEqual((self.bob.heard[0].versions, self.bob.channels[0].version), (Versions(1, 1), 1))
        self.assertEqual((heard.versions, peer.version), (Versions(1, 2), 1))

    def test_another_key_than_expected_is_refused_before_hello(self) -> None:
        self.failureResultOf(self.dial(expected_spki=self.alice.spki), TryElsewhere)
        self.assertEqual(self.bob.heard, [])

    def test_caller_without_a_key_is_refused(self) -> None:
        self.failureResultOf(self.dial(tls=visitor_tls()), TryElsewhere)
        self.assertEqual(self.bob.heard, [])

    def test_refusal_keeps_its_reason(self) -> None:
        self.bob.refuses = SessionReplaced("alice has logged in elsewhere.")
        self.failureResultOf(self.dial(), SessionReplaced)
        self.assertEqual(self.bob.channels, [])

    def test_answer_under_another_name_or_ring_is_refused(self) -> None:
        self.bob.says = replace(self.bob.says, user="mallory")
        self.failureResultOf(self.dial(), Misbehaved)
        self.bob.says = replace(self.bob.says, user="bob", ring=bytes(32))
        self.failureResultOf(self.dial(), RingUnknown)
        self.assertEqual(self.alice.channels, [])

    def test_nothing_but_hello_is_answered_before_it(self) -> None:
        self.bob.refuses = TryElsewhere("later")
        self.failureResultOf(self.dial(), TryElsewhere)
        self.assertEqual(self.bob.echoing.heard, [])

    def test_refused_dial_is_try_elsewhere(self) -> None:
        del self.network.ports[HERE]
        self.failureResultOf(self.dial(), TryElsewhere)
