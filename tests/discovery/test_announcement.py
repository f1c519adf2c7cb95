"""Datagrams of discovery: what goes in comes out, and hostile ones have no meaning."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.discovery.announcement import (
    MAX_DATAGRAM_BYTES,
    MIN_QUERY_BYTES,
    Announcement,
    Heard,
    Query,
    decode,
    encode,
)
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Address

RING = bytes(range(32))
NODE = Heard(RING, "café", Address("192.0.2.1", 7401), Address("2001:db8::1", 7402))

ports = st.integers(1, 65_535)
addresses = st.builds(Address, st.ip_addresses().map(str), ports)
names = st.text(max_size=16).filter(str.isprintable)
nodes = st.builds(Heard, st.binary(min_size=32, max_size=32), names, addresses, addresses)
nonces = st.binary(min_size=8, max_size=8)
datagrams = st.one_of(
    st.builds(Announcement, nodes, nonces),
    st.builds(Query, nonces, st.one_of(st.none(), st.binary(min_size=32, max_size=32))),
)


class AnnouncementTests(SynchronousTestCase):
    @given(datagrams)
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_meaning_survives_the_wire(self, datagram: Announcement | Query) -> None:
        encoded = encode(datagram)
        self.assertEqual(decode(encoded), datagram)
        self.assertLessEqual(len(encoded), MAX_DATAGRAM_BYTES)

    @given(nodes, nonces)
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_answer_is_never_longer_than_the_query(self, node: Heard, nonce: bytes) -> None:
        self.assertLessEqual(len(encode(Announcement(node, nonce))), len(encode(Query(nonce))))

    @given(st.binary(max_size=1500))
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_any_bytes_are_harmless(self, received: bytes) -> None:
        self.assertRaises(Misbehaved, decode, received)

    @given(datagrams, st.integers(0, 600), st.integers(0, 7))
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_flipped_bits_are_harmless(self, datagram: Announcement | Query, place: int, bit: int) -> None:
        encoded = bytearray(encode(datagram))
        encoded[place % len(encoded)] ^= 1 << bit
        try:
            meaning = decode(bytes(encoded))
        except Misbehaved:
            return
        self.assertIsInstance(meaning, Announcement | Query)

    def test_cut_and_extended_datagrams_are_refused(self) -> None:
        encoded = encode(Announcement(NODE))
        for end in range(len(encoded)):
            self.assertRaises(Misbehaved, decode, encoded[:end])
        self.assertRaises(Misbehaved, decode, encoded + b"\0")
        self.assertRaises(Misbehaved, decode, encoded.ljust(MAX_DATAGRAM_BYTES + 1, b"\0"))

    def test_short_query_is_refused_because_its_answer_would_be_longer(self) -> None:
        encoded = encode(Query(bytes(8)))
        self.assertEqual(len(encoded), MIN_QUERY_BYTES)
        self.assertRaises(Misbehaved, decode, encoded[:-1])

    def test_names_that_a_terminal_would_obey_are_refused(self) -> None:
        encoded = encode(Announcement(NODE)).replace("café".encode(), b"\x1b[2J\n")
        self.assertRaises(Misbehaved, decode, encoded)

    def test_port_zero_is_refused(self) -> None:
        encoded = encode(Announcement(Heard(RING, "", Address("192.0.2.1", 0), NODE.clients_address)))
        self.assertRaises(Misbehaved, decode, encoded)

    def test_too_long_a_name_is_our_own_bug(self) -> None:
        node = Heard(RING, "x" * 65, NODE.ring_address, NODE.clients_address)
        self.assertRaises(ValueError, encode, Announcement(node))
        long = Address("x" * 253, 1)
        self.assertRaises(ValueError, encode, Announcement(Heard(RING, "", long, long)))

    def test_node_that_names_no_host_gets_the_senders(self) -> None:
        node = Heard(RING, "", Address("0.0.0.0", 7401), Address("::", 7402)).seen_from("192.0.2.9")
        self.assertEqual(str(node.ring_address), "192.0.2.9:7401")
        self.assertEqual(str(node.clients_address), "192.0.2.9:7402")
        self.assertEqual(NODE.seen_from("192.0.2.9"), NODE)
