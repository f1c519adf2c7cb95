"""Tests of the authority's folder: one founder, one admission for a key, even places, evictions."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.authority import Authority, widest_middle
from p2pchat.crypto.certificates import Role, verify_chain
from p2pchat.crypto.evictions import Evictions
from p2pchat.errors import Damaged, NotAdmitted, UserError
from p2pchat.identifiers import BITS, CIRCLE, Identifier, distance, name
from tests.crypto.keys import Drawn, session_key
from tests.crypto.rings import NOW


def request(key: int, signed_by: int | None = None) -> bytes:
    """A request for the admission of `session_key(key)`."""
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(session_key(key), None)
    encoded = made.public_bytes(serialization.Encoding.DER)
    if signed_by is None:
        return encoded
    other = session_key(signed_by).public_key().public_bytes_raw()
    return encoded.replace(session_key(key).public_key().public_bytes_raw(), other)


class AuthorityTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.authority = Authority.create(self.folder, "house", 4, 1024, NOW, Drawn(1))


class FolderTests(AuthorityTestCase):
    def test_the_folder_comes_back_and_is_private(self) -> None:
        again = Authority.open(self.folder, NOW)
        self.assertEqual((again.root, again.certificate), (self.authority.root, self.authority.certificate))
        self.assertEqual((again.description.name, again.description.replicas), ("house", 4))
        self.authority.admit(Role.NODE, NOW, Drawn(2))
        for path in (self.folder, *self.folder.rglob("*")):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_a_folder_that_is_used_is_left_alone(self) -> None:
        self.assertRaises(UserError, Authority.create, self.folder, "other", 4, 1024, NOW)
        self.assertRaises(UserError, Authority.create, Path(self.mktemp()), "x", 5, 1024, NOW)

    def test_no_authority_is_told_from_a_damaged_one(self) -> None:
        self.assertRaises(NotAdmitted, Authority.open, self.folder / "admitted", NOW)
        other = Authority.create(Path(self.mktemp()), "other", 4, 1024, NOW, Drawn(3))
        for file in ("admitter.key", "admitter.pem", "root.pem", "ring"):
            kept = (self.folder / file).read_bytes()
            for content in ((other.folder / file).read_bytes(), b"", b"\xff"):
                (self.folder / file).write_bytes(content)
                self.assertRaises(Damaged, Authority.open, self.folder, NOW)
            (self.folder / file).write_bytes(kept)
        Authority.open(self.folder, NOW)


class AdmissionTests(AuthorityTestCase):
    def test_the_first_admitted_node_is_the_founder(self) -> None:
        operator = self.authority.admit(Role.OPERATOR, NOW, Drawn(2))
        nodes = [self.authority.admit(Role.NODE, NOW, Drawn(seed)) for seed in (3, 4, 5)]
        self.assertIsNone(operator.founder)
        self.assertEqual([node.is_founder for node in nodes], [True, False, False])
        for node in nodes:
            assert node.founder is not None
            self.assertEqual(node.founder.node, nodes[0].identifier)
            verify_chain(node.certificate, node.issuer, node.root, NOW)

    def test_a_key_is_admitted_once(self) -> None:
        self.authority.sign_request(request(1), Role.NODE, NOW, Drawn(2))
        for role in (Role.NODE, Role.OPERATOR):
            self.assertRaises(UserError, self.authority.sign_request, request(1), role, NOW)
        self.assertEqual(len(self.authority.admitted()), 1)

    def test_requests_are_signed_by_their_own_key(self) -> None:
        for wrong in (request(1, signed_by=2), b"", b"nonsense", request(1)[:-1]):
            self.assertRaises(UserError, self.authority.sign_request, wrong, Role.NODE, NOW)
        for role in (Role.ROOT, Role.ADMITTER):
            self.assertRaises(UserError, self.authority.sign_request, request(1), role, NOW)
        self.assertEqual(self.authority.admitted(), [])

    def test_nodes_stand_evenly(self) -> None:
        for seed in range(8):
            self.authority.admit(Role.NODE, NOW, Drawn(10 + seed))
        places = sorted(each.identifier for each in self.authority.admitted())
        arcs = [distance(a, b) for a, b in zip(places, places[1:] + places[:1], strict=True)]
        self.assertLess(max(arcs), 2.5 * min(arcs))

    def test_the_middle_of_the_widest_arc(self) -> None:
        quarter, half = Identifier(1 << BITS - 2), Identifier(1 << BITS - 1)
        self.assertEqual(widest_middle([Identifier(0)]), half)
        self.assertEqual(widest_middle([Identifier(0), quarter]), quarter + 3 * (CIRCLE // 8))

    def test_another_admitter_names_no_founder(self) -> None:
        second = self.authority.add_admitter(Path(self.mktemp()), NOW, Drawn(2))
        admitted = Authority.open(second.folder, NOW).admit(Role.NODE, NOW, Drawn(3))
        self.assertIsNone(admitted.founder)
        verify_chain(admitted.certificate, admitted.issuer, self.authority.root, NOW)
        self.assertTrue(self.authority.admit(Role.NODE, NOW, Drawn(4)).is_founder)
        self.assertRaises(UserError, second.add_admitter, Path(self.mktemp()), NOW)


class EvictionTests(AuthorityTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.nodes = [self.authority.admit(Role.NODE, NOW, Drawn(seed)) for seed in (2, 3)]

    def test_nodes_are_evicted_by_their_digits(self) -> None:
        first = self.authority.evict([name(self.nodes[0].identifier)], Evictions.none(), NOW)
        second = self.authority.evict([name(self.nodes[1].identifier)], Evictions.none(), NOW)
        self.assertEqual((first.number, second.number), (1, 2))
        self.assertTrue(all(second.evicts(node.certificate) for node in self.nodes))
        self.assertEqual(self.authority.evictions(NOW), second)

    def test_the_rings_newer_list_goes_on(self) -> None:
        second = self.authority.add_admitter(Path(self.mktemp()), NOW, Drawn(5))
        stranger = second.admit(Role.NODE, NOW, Drawn(6))
        known = second.evict([name(stranger.identifier)], Evictions.none(), NOW)
        grown = self.authority.evict([name(self.nodes[0].identifier)], known, NOW)
        self.assertTrue(grown.evicts(stranger.certificate) and grown.evicts(self.nodes[0].certificate))

    def test_names_that_fit_nobody_evict_nobody(self) -> None:
        for digits in ("", "00000000", name(self.nodes[0].identifier)[:7]):
            self.assertRaises(UserError, self.authority.evict, [digits], Evictions.none(), NOW)
        self.assertEqual(self.authority.evictions(NOW), Evictions.none())

    def test_an_evicted_admitter_admits_nobody(self) -> None:
        second = self.authority.add_admitter(Path(self.mktemp()), NOW, Drawn(5))
        entry = (Role.ADMITTER, second.certificate.serial)
        listed = self.authority.evict_entries([entry], Evictions.none(), NOW)
        (second.folder / f"evictions.{listed.number}").write_bytes(listed.encoded)
        self.assertRaises(UserError, second.admit, Role.NODE, NOW)
        self.assertRaises(UserError, second.evict_entries, [entry], Evictions.none(), NOW)
