"""Tests of the primitives: accepted key forms, round trips, and that each failure has its one error."""

from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto import primitives
from p2pchat.errors import CannotOpen, Misbehaved
from tests.crypto.keys import Drawn, identity, session_key


class RSATests(SynchronousTestCase):
    def test_other_sizes_and_exponents_are_refused(self) -> None:
        small = rsa.generate_private_key(65537, 2048)
        numbers = rsa.RSAPublicNumbers(3, primitives.rsa_public(identity("alice").public.spki_sign).public_numbers().n)
        for key in (small.public_key(), numbers.public_key()):
            with self.assertRaises(Misbehaved):
                primitives.rsa_public(primitives.spki(key))
        with self.assertRaises(Misbehaved):
            primitives.rsa_private(primitives.pkcs8(small))

    def test_what_is_no_rsa_key_is_refused(self) -> None:
        ours = identity("alice").public.spki_sign
        for encoded in (b"", b"nonsense", primitives.spki(session_key(1).public_key()), ours + b"\0", ours[:-1]):
            with self.assertRaises(Misbehaved):
                primitives.rsa_public(encoded)
        for encoded in (b"", primitives.pkcs8(session_key(1))):
            with self.assertRaises(Misbehaved):
                primitives.rsa_private(encoded)

    def test_numbers_that_do_not_belong_together_are_refused(self) -> None:
        encoded = identity("alice").pkcs8_sign
        primitives.rsa_private(encoded)
        for at in range(1200, len(encoded), 97):
            altered = encoded[:at] + bytes([encoded[at] ^ 1]) + encoded[at + 1 :]
            self.assertRaises(Misbehaved, primitives.rsa_private, altered)

    def test_signatures_are_for_one_statement_and_one_key(self) -> None:
        alice, bob = identity("alice"), identity("bob")
        signature = alice.sign(b"statement")
        primitives.pss_verify(alice.public.spki_sign, signature, b"statement")
        for signer, statement in (
            (alice.public.spki_sign, b"other"),
            (bob.public.spki_sign, b"statement"),
            (alice.public.spki_seal, b"statement"),
        ):
            with self.assertRaises(Misbehaved):
                primitives.pss_verify(signer, signature, statement)


class HybridTests(SynchronousTestCase):
    def test_round_trip_and_sizes(self) -> None:
        private = primitives.hybrid_generate(Drawn())
        public = primitives.hybrid_public(private)
        sealed = primitives.hpke_seal(public, bytes(32), b"info")
        self.assertEqual((len(private), len(public), len(sealed)), (96, 1216, 1168))
        self.assertEqual(primitives.hpke_open(private, sealed, b"info"), bytes(32))
        for key, box, info in (
            (private, sealed, b"other"),
            (private, sealed[:-1], b"info"),
            (private, b"", b"info"),
            (primitives.hybrid_generate(Drawn(1)), sealed, b"info"),
        ):
            with self.assertRaises(CannotOpen):
                primitives.hpke_open(key, box, info)

    def test_public_keys_that_are_none_are_refused(self) -> None:
        public = primitives.hybrid_public(primitives.hybrid_generate(Drawn()))
        for wrong in (b"", public[:-1], b"\xff" * 1184 + public[-32:], public[:-32] + bytes(32)):
            with self.assertRaises(Misbehaved):
                primitives.hpke_seal(wrong, b"", b"")


class BoxTests(SynchronousTestCase):
    def test_altered_boxes_do_not_open(self) -> None:
        sealed = primitives.gcm_seal(bytes(32), bytes(12), b"plain", b"aad")
        self.assertEqual(primitives.gcm_open(bytes(32), bytes(12), sealed, b"aad"), b"plain")
        for box, aad in ((sealed, b"x"), (sealed[:-1], b"aad"), (b"", b"aad")):
            with self.assertRaises(CannotOpen):
                primitives.gcm_open(bytes(32), bytes(12), box, aad)
        with self.assertRaises(CannotOpen):
            primitives.gcm_open(bytes(32), b"", sealed, b"aad")

    def test_ed25519_refuses_other_keys_and_lengths(self) -> None:
        key = session_key(1)
        raw, signature = key.public_key().public_bytes_raw(), key.sign(b"s")
        primitives.ed25519_verify(raw, signature, b"s")
        for signer, proof, said in ((raw, signature, b"t"), (raw, b"", b"s"), (b"short", signature, b"s")):
            with self.assertRaises(Misbehaved):
                primitives.ed25519_verify(signer, proof, said)
