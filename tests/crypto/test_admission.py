"""Tests of what an admitted node holds: description, founder mark, and the one file."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.admission import Admission, FounderMark, RingDescription, write_new
from p2pchat.crypto.certificates import Role
from p2pchat.errors import Damaged, Misbehaved, NotAdmitted
from p2pchat.identifiers import Identifier
from tests.crypto.keys import session_key
from tests.crypto.rings import NOW, Ring


class DescriptionTests(SynchronousTestCase):
    def test_the_root_says_what_the_ring_is(self) -> None:
        ring = Ring()
        encoded = ring.description.encode()
        self.assertEqual(RingDescription.parse(encoded, ring.root), ring.description)
        for wrong in (encoded[:-1], encoded + b"\0", b"", bytes(64)):
            self.assertRaises(Misbehaved, RingDescription.parse, wrong, ring.root)
        self.assertRaises(Misbehaved, RingDescription.parse, encoded, Ring(120).root)

    def test_other_numbers_and_names_are_refused(self) -> None:
        ring = Ring()
        for name, replicas, slots in (
            ("h", 3, 8),
            ("h", 8, 8),
            ("h", 4, 0),
            ("h", 4, 65537),
            ("", 4, 8),
            ("a\n", 4, 8),
        ):
            self.assertRaises(ValueError, RingDescription.create, ring.root_key, ring.ring, name, replicas, slots)


class FounderTests(SynchronousTestCase):
    def test_an_admitter_names_the_founder(self) -> None:
        ring = Ring()
        mark = FounderMark.create(ring.key, ring.admitter, Identifier(5))
        self.assertEqual(FounderMark.parse(mark.encode(), ring.root, NOW), mark)
        self.assertRaises(Misbehaved, FounderMark.parse, mark.encode(), Ring(120).root, NOW)
        posing = FounderMark.create(session_key(1), ring.certify(1, Role.NODE), Identifier(5))
        forged = FounderMark.create(session_key(1), ring.admitter, Identifier(5))
        for wrong in (posing.encode(), forged.encode(), b"", mark.encode() + b"\0"):
            self.assertRaises(Misbehaved, FounderMark.parse, wrong, ring.root, NOW)


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        ring = self.ring = Ring()
        certificate = ring.certify(1, Role.NODE)
        mark = FounderMark.create(ring.key, ring.admitter, certificate.identifier)
        self.admission = Admission(session_key(1), certificate, ring.admitter, ring.root, ring.description, mark)
        self.path = Path(self.mktemp())

    def test_one_private_file_holds_everything(self) -> None:
        self.admission.save(self.path)
        again = Admission.load(self.path, NOW)
        self.assertEqual(again.to_pem(), self.admission.to_pem())
        self.assertEqual((again.ring, again.role, again.is_founder), (self.ring.ring, Role.NODE, True))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertRaises(FileExistsError, self.admission.save, self.path)
        self.assertEqual([path for path in self.path.parent.iterdir() if path.name.startswith(".")], [])

    def test_somebody_else_is_the_founder_or_nobody_is_known(self) -> None:
        mark = FounderMark.create(self.ring.key, self.ring.admitter, Identifier(5))
        for founder in (mark, None):
            parts = (self.admission.certificate, self.ring.admitter, self.ring.root, self.ring.description)
            made = Admission(session_key(1), *parts, founder)
            self.assertFalse(Admission.from_pem(made.to_pem(), NOW).is_founder)

    def test_no_file_is_told_from_a_damaged_one(self) -> None:
        self.assertRaises(NotAdmitted, Admission.load, self.path, NOW)
        whole = self.admission.to_pem()
        blocks = whole.split("-----BEGIN ")[1:]
        for missing in range(len(blocks) - 1):
            text = "".join("-----BEGIN " + each for at, each in enumerate(blocks) if at != missing)
            self.assertRaises(Damaged, Admission.from_pem, text, NOW)
        foreign = Ring(120).certify(1, Role.NODE)
        parts = (foreign, self.ring.admitter, self.ring.root, self.ring.description, None)
        other_key = Admission(session_key(2), self.admission.certificate, *parts[1:])
        for wrong in (Admission(session_key(1), *parts), other_key):
            self.assertRaises(Damaged, Admission.from_pem, wrong.to_pem(), NOW)
        for content in (b"", b"\xff", whole.encode()[:500]):
            self.path.write_bytes(content)
            self.assertRaises(Damaged, Admission.load, self.path, NOW)

    def test_the_private_key_is_in_no_repr(self) -> None:
        self.assertNotIn("PrivateKey", repr(self.admission))


class FileTests(SynchronousTestCase):
    def test_a_file_is_there_wholly_or_not_at_all(self) -> None:
        path = Path(self.mktemp())
        self.patch(os, "link", self.refuse)
        self.assertRaises(OSError, write_new, path, b"content")
        self.assertEqual([each for each in path.parent.iterdir() if path.name in each.name], [])

    def refuse(self, *_: object) -> None:
        raise OSError("no space left")
