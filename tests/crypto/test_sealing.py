"""Tests of the sealer: when headers are made anew, and that nothing is ever sealed twice under one key."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto import sealing
from p2pchat.crypto.envelope import MAX_BODY_BYTES, Kind
from p2pchat.crypto.opening import Opener
from p2pchat.crypto.primitives import gcm_seal
from p2pchat.crypto.sealing import Sealer
from tests.crypto.forge import KEY_ID, MESSAGE, PRIVATE, key_of
from tests.crypto.keys import Drawn, identity


class HeaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.sealer = Sealer(identity("alice"), 1, 1)

    def header(self, now: float, **to: Any) -> bytes:
        return self.sealer.seal(replace(key_of(), **to), MESSAGE, now).header

    def test_a_header_is_repeated_bit_for_bit_for_an_hour(self) -> None:
        first = self.header(0.0)
        self.assertEqual(self.header(3599.0), first)
        self.assertNotEqual(self.header(3600.0), first)

    def test_a_header_serves_a_thousand_messages(self) -> None:
        headers = [self.header(0.0) for _ in range(1001)]
        self.assertEqual((len(set(headers[:1000])), len(set(headers))), (1, 2))

    def test_another_key_kind_or_recipient_has_a_header_of_its_own(self) -> None:
        headers = {
            self.header(0.0),
            self.header(0.0, key_id=bytes(16)),
            self.header(0.0, kind=Kind.CHANNEL),
            self.header(0.0, recipient=identity("carol").public),
        }
        self.assertEqual(len(headers), 4)

    def test_our_own_new_epoch_ends_every_header(self) -> None:
        first = self.header(0.0)
        self.sealer.renew(1, 2)
        self.assertNotEqual(self.header(0.0), first)

    def test_a_body_that_is_too_long_is_refused(self) -> None:
        long = replace(MESSAGE, body=bytes(MAX_BODY_BYTES + 1))
        self.assertRaises(ValueError, self.sealer.seal, key_of(), long, 0.0)

    def test_what_is_sealed_opens(self) -> None:
        opener = Opener(identity("bob"))
        opener.add_key(Kind.MAIL, KEY_ID, PRIVATE)
        for body in (b"", b"x" * MAX_BODY_BYTES):
            message = replace(MESSAGE, body=body)
            sealed = self.sealer.seal(key_of(), message, 0.0)
            self.assertEqual(opener.claim(sealed.envelope).user, "alice")
            opened = opener.open(sealed.header, sealed.message, identity("alice").public)
            self.assertEqual(opened.message, message)


class RestoreTests(SynchronousTestCase):
    """A copied home, and a copied process: the state of the sealer is there twice."""

    def test_no_key_and_nonce_ever_see_two_plaintexts(self) -> None:
        used: dict[tuple[bytes, bytes], bytes] = {}

        def watched(key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
            self.assertIn(used.setdefault((key, nonce), plain), {plain})
            return gcm_seal(key, nonce, plain, aad)

        with patch.object(sealing, "gcm_seal", watched):
            original = Sealer(identity("alice"), 1, 1)
            original.seal(key_of(), MESSAGE, 0.0)
            copied = Sealer(identity("alice"), 1, 1)
            copied._kept = original._kept.copy()
            restarted = Sealer(identity("alice"), 1, 1)
            for sealer in (original, copied, restarted):
                for body in (b"one", b"two", b"two"):
                    sealer.seal(key_of(), replace(MESSAGE, body=body), 1.0)
        self.assertEqual(len(used), 2 + 10)

    def test_a_retry_takes_new_randomness(self) -> None:
        sealer = Sealer(identity("alice"), 1, 1)
        first, second = (sealer.seal(key_of(), MESSAGE, 0.0) for _ in range(2))
        self.assertEqual(first.header, second.header)
        self.assertNotEqual(first.message[:32], second.message[:32])

    def test_vectors_need_fixed_chance_only(self) -> None:
        first, second = (Sealer(identity("alice"), 1, 1, Drawn(4)).seal(key_of(), MESSAGE, 0.0) for _ in range(2))
        self.assertEqual(first.message[:32], second.message[:32])
