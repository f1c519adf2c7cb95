"""The router's relay: packets of the group go on with a hop less and a checksum that fits; nothing else does."""

import importlib.util
import socket
import struct
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

GROUP = socket.inet_aton("239.192.74.1")
SENDER = socket.inet_aton("10.74.2.11")
TEXT = b"who is there?"


def relay() -> ModuleType:
    """The program that runs in the router's container."""
    path = Path(__file__).resolve().parent.parent / "docker/relay.py"
    spec = importlib.util.spec_from_file_location("relay", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def packet(target: bytes = GROUP, hops: int = 2, protocol: int = 17, fragment: int = 0) -> bytes:
    """A datagram of somebody who looks for nodes, its checksums left to the network card."""
    inside = struct.pack("!HHHH", 40_000, 7400, 8 + len(TEXT), 0x1234) + TEXT
    size = 20 + len(inside)
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 7, fragment, hops, protocol, 0, SENDER, target) + inside


class RelayTests(SynchronousTestCase):
    """`hop`, which decides what goes on."""

    def setUp(self) -> None:
        self.relay = relay()

    def test_a_question_goes_on_with_a_hop_less(self) -> None:
        repeated = self.relay.hop(packet() + b"padding of a short frame", GROUP)
        self.assertEqual(repeated[8], 1)
        self.assertEqual((repeated[12:16], repeated[16:20]), (SENDER, GROUP))
        self.assertEqual(repeated[28:], TEXT)

    def test_the_checksum_of_the_header_fits(self) -> None:
        self.assertEqual(self.relay.checksum(self.relay.hop(packet(), GROUP)[:20]), 0)

    def test_a_checksum_that_the_sender_left_out_is_no_wrong_one(self) -> None:
        self.assertEqual(self.relay.hop(packet(), GROUP)[26:28], b"\0\0")

    def test_a_fragment_stays_as_it_is(self) -> None:
        self.assertEqual(self.relay.hop(packet(fragment=0x2001), GROUP)[20:], packet()[20:])

    def test_what_is_not_for_the_group_or_has_no_hop_left_stays_here(self) -> None:
        others = [
            packet(target=socket.inet_aton("239.192.74.2")),
            packet(hops=1),
            packet(hops=0),
            packet(protocol=6),
            packet()[:19],
            b"",
            b"\x4f" + packet()[1:24],
            b"\x41" + packet()[1:],
            b"\x65" + packet()[1:],
        ]
        self.assertEqual([self.relay.hop(each, GROUP) for each in others], [None] * len(others))
