"""Records deflated against another one of the same ring."""

import zlib

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.packing import RAW_BITS, pack, unpack
from p2pchat.crypto.noderecord import MAX_NODE_RECORD_BYTES
from p2pchat.errors import Misbehaved
from p2pchat.simulation.papers import Papers

PAPERS = Papers("packing")
ONE, TWO = (PAPERS.record(number).encode() for number in (1, 2))


class PackingTests(SynchronousTestCase):
    def test_a_record_comes_back_and_is_short(self) -> None:
        packed = pack(ONE, TWO)
        self.assertEqual(unpack(packed, TWO), ONE)
        self.assertLess(len(packed), len(ONE) / 3)

    def test_what_is_no_packed_record_is_refused(self) -> None:
        packed = pack(ONE, TWO)
        for wrong in (b"", b"\xff\xff", packed[:-3], packed + b"x", ONE):
            self.assertRaises(Misbehaved, unpack, wrong, TWO)

    def test_a_bomb_is_refused_unread(self) -> None:
        deflating = zlib.compressobj(wbits=RAW_BITS)
        bomb = deflating.compress(bytes(50 * MAX_NODE_RECORD_BYTES)) + deflating.flush()
        self.assertRaises(Misbehaved, unpack, bomb, TWO)
