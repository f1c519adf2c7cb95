"""Tests of identities and fingerprints."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.identity import Identity
from p2pchat.crypto.primitives import oaep_seal
from p2pchat.errors import CannotOpen
from tests.crypto.keys import RING, identity


class IdentityTests(SynchronousTestCase):
    def test_a_generated_identity_signs_unseals_and_survives_storage(self) -> None:
        made = Identity.generate("ana", RING)
        made.public.check()
        again = Identity.load("ana", RING, made.pkcs8_sign, made.pkcs8_seal)
        self.assertEqual(again, made)
        made.public.verify(again.sign(b"statement"), b"statement")
        sealed = oaep_seal(made.public.spki_seal, b"secret", b"label")
        self.assertEqual(again.unseal(sealed, b"label"), b"secret")
        self.assertRaises(CannotOpen, again.unseal, sealed, b"other")

    def test_the_fingerprint_covers_name_ring_and_both_keys(self) -> None:
        alice, bob = identity("alice").public, identity("bob").public
        others = (
            replace(alice, user="alicia"),
            replace(alice, ring=bytes(32)),
            replace(alice, spki_sign=bob.spki_sign),
            replace(alice, spki_seal=bob.spki_seal),
            replace(alice, spki_sign=alice.spki_seal, spki_seal=alice.spki_sign),
        )
        self.assertEqual(len({each.fingerprint for each in (alice, *others)}), 6)

    def test_people_compare_twelve_groups_of_five_digits(self) -> None:
        groups = identity("alice").public.digits
        self.assertEqual(len(groups), 12)
        self.assertTrue(all(len(group) == 5 and group.isdigit() for group in groups))

    def test_private_keys_are_in_no_repr(self) -> None:
        shown = repr(identity("alice"))
        self.assertNotIn("pkcs8", shown)
        self.assertNotIn("PrivateKey", shown)
