"""Tests of certificates: role, ring, chain and validity, and the node's place that follows from them."""

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.certificates import (
    SERIAL_BYTES,
    Certificate,
    Role,
    draw_serial,
    issue,
    node_identifier,
    session_certificate,
    verify_chain,
    verify_root,
)
from p2pchat.crypto.encoding import H
from p2pchat.errors import Misbehaved, RingUnknown
from p2pchat.identifiers import to_bytes
from tests.crypto.keys import Drawn, session_key
from tests.crypto.rings import DAY, NOW, Ring


class CertificateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = Ring()
        self.node = self.ring.certify(1, Role.NODE)

    def test_a_certificate_comes_back_from_der_and_pem(self) -> None:
        for made in (self.ring.root, self.ring.admitter, self.node, self.ring.certify(2, Role.OPERATOR)):
            self.assertEqual(Certificate.parse(made.der), made)
            self.assertEqual(Certificate.from_pem(made.pem()), made)
            self.assertEqual(made.ring, self.ring.ring)
        self.assertEqual(self.node.public_key, session_key(1).public_key().public_bytes_raw())
        self.assertEqual(self.ring.ring, H(self.ring.root.spki))

    def test_the_place_depends_on_key_serial_and_ring(self) -> None:
        places = {
            self.node.identifier,
            node_identifier(bytes(32), self.node.spki, self.node.serial),
            node_identifier(self.node.ring, self.node.spki, bytes(20)),
            node_identifier(self.node.ring, self.ring.root.spki, self.node.serial),
        }
        self.assertEqual(len(places), 4)
        self.assertEqual(len(to_bytes(self.node.identifier)), 32)

    def test_serials_are_positive_and_have_twenty_bytes(self) -> None:
        for seed in range(50):
            serial = draw_serial(Drawn(seed))
            self.assertEqual((len(serial), serial[0] >> 6), (SERIAL_BYTES, 1))

    def test_the_chain_of_this_ring_is_believed(self) -> None:
        self.assertEqual(verify_root(self.ring.root), self.ring.ring)
        for role in (Role.NODE, Role.OPERATOR):
            verify_chain(self.ring.certify(3, role), self.ring.admitter, self.ring.root, NOW)

    def test_an_hour_off_does_no_harm_and_ten_years_end(self) -> None:
        for now in (NOW - 3600, NOW + 3600, NOW + 3650 * DAY):
            verify_chain(self.node, self.ring.admitter, self.ring.root, now)
        for now in (NOW - 2 * DAY, NOW + 3653 * DAY):
            self.refused(self.node, self.ring.admitter, self.ring.root, now)

    def refused(self, certificate: Certificate, issuer: Certificate, root: Certificate, now: float = NOW) -> None:
        self.assertRaises(Misbehaved, verify_chain, certificate, issuer, root, now)

    def test_other_rings_roles_and_issuers_are_refused(self) -> None:
        other = Ring(120)
        self.refused(self.node, self.ring.admitter, other.root)
        self.refused(self.node, other.admitter, self.ring.root)
        self.refused(self.node, other.admitter, other.root)
        self.refused(self.ring.admitter, self.ring.root, self.ring.root)
        self.refused(self.node, self.ring.root, self.ring.root)
        self.refused(self.node, self.ring.certify(9, Role.ADMITTER), self.ring.root)
        self.refused(self.node, self.ring.admitter, self.ring.admitter)

    def test_a_node_cannot_admit(self) -> None:
        public, serial = session_key(5).public_key(), draw_serial(Drawn())
        made = issue(session_key(1), self.node, public, Role.NODE, self.ring.ring, serial, NOW)
        self.refused(made, self.node, self.ring.root)
        posing = issue(session_key(1), self.node, public, Role.ADMITTER, self.ring.ring, serial, NOW)
        self.refused(self.node, posing, self.ring.root)

    def test_an_admitter_of_one_ring_cannot_write_another_rings_id(self) -> None:
        other = Ring(120)
        public, serial = session_key(5).public_key(), draw_serial(Drawn())
        crossing = issue(other.key, other.admitter, public, Role.NODE, self.ring.ring, serial, NOW)
        self.refused(crossing, other.admitter, other.root)
        self.refused(crossing, self.ring.admitter, self.ring.root)

    def test_a_root_is_signed_by_itself_and_named_by_its_key(self) -> None:
        public, serial = session_key(5).public_key(), draw_serial(Drawn())
        wrong_id = issue(session_key(5), None, public, Role.ROOT, self.ring.ring, serial, NOW)
        foreign = issue(session_key(6), None, self.ring.root_key.public_key(), Role.ROOT, self.ring.ring, serial, NOW)
        for wrong in (wrong_id, foreign, self.node):
            self.assertRaises(Misbehaved, verify_root, wrong)

    def test_what_is_no_certificate_of_a_ring_is_refused(self) -> None:
        agent = session_certificate(session_key(1), NOW, Drawn())
        for wrong in (b"", b"nonsense", agent, self.node.der[:-1], bytes(5000)):
            self.assertRaises(Misbehaved, Certificate.parse, wrong)
        self.assertRaises(RingUnknown, Certificate.from_pem, "no certificate")

    def test_every_altered_byte_breaks_the_chain(self) -> None:
        for at in range(0, len(self.node.der), 3):
            altered = self.node.der[:at] + bytes([self.node.der[at] ^ 4]) + self.node.der[at + 1 :]
            try:
                self.refused(Certificate.parse(altered), self.ring.admitter, self.ring.root)
            except Misbehaved:
                continue

    def test_an_agents_certificate_carries_its_session_key(self) -> None:
        read = x509.load_der_x509_certificate(session_certificate(session_key(1), NOW, Drawn()))
        self.assertEqual(read.public_key(), session_key(1).public_key())
