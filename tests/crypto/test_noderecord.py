"""Tests of node records: signed addresses under a certificate of the ring."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.certificates import Certificate, Role
from p2pchat.crypto.encoding import lv, split
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Address
from tests.crypto.keys import session_key
from tests.crypto.rings import DAY, NOW, Ring

RING_ADDRESS, CLIENTS_ADDRESS = Address("192.0.2.1", 7401), Address("2001:db8::1", 7402)


class NodeRecordTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = Ring()
        self.record = self.made(self.ring.certify(1, Role.NODE))

    def made(self, certificate: Certificate, sequence: int = 1, key: int = 1) -> NodeRecord:
        addresses = (RING_ADDRESS, CLIENTS_ADDRESS)
        return NodeRecord.create(session_key(key), certificate, self.ring.admitter, sequence, *addresses)

    def refused(self, record: NodeRecord, root: Certificate | None = None, now: float = NOW) -> None:
        self.assertRaises(Misbehaved, NodeRecord.parse(record.encode()).verify, root or self.ring.root, now)

    def test_the_record_comes_back_and_is_believed(self) -> None:
        read = NodeRecord.parse(self.record.encode())
        self.assertEqual(read, self.record)
        self.assertEqual(read.identifier, self.record.certificate.identifier)
        read.verify(self.ring.root, NOW)

    def test_other_addresses_sequences_and_keys_are_refused(self) -> None:
        for wrong in (
            replace(self.record, sequence=2),
            replace(self.record, ring_address=CLIENTS_ADDRESS),
            replace(self.record, clients_address=Address("192.0.2.9", 1)),
            replace(self.record, certificate=self.ring.certify(2, Role.NODE)),
            self.made(self.record.certificate, key=2),
        ):
            self.refused(wrong)

    def test_operators_and_other_rings_are_no_nodes(self) -> None:
        self.refused(self.made(self.ring.certify(1, Role.OPERATOR)))
        self.refused(self.record, Ring(120).root)
        self.refused(replace(self.record, issuer=Ring(120).admitter))
        self.refused(self.record, now=NOW + 4000 * DAY)

    def test_the_higher_sequence_of_the_same_node_counts(self) -> None:
        later = self.made(self.record.certificate, sequence=2)
        other = self.made(self.ring.certify(2, Role.NODE), sequence=3)
        self.assertTrue(later.supersedes(self.record))
        self.assertFalse(self.record.supersedes(later))
        self.assertFalse(self.record.supersedes(self.record))
        self.assertFalse(other.supersedes(self.record))

    def test_wrong_forms_are_refused(self) -> None:
        fields = split(self.record.encode())
        for at, wrong in ((0, b""), (1, b"x"), (2, b"\0"), (3, b"nowhere"), (4, b"\xff:1")):
            changed = [*fields[:at], wrong, *fields[at + 1 :]]
            self.assertRaises(Misbehaved, NodeRecord.parse, b"".join(map(lv, changed)))
        for encoded in (b"", self.record.encode()[:-1], self.record.encode() + b"\0", bytes(5000)):
            self.assertRaises(Misbehaved, NodeRecord.parse, encoded)
