"""Tests of opening: each lock counts, the context is bound, and the outside learns nothing."""

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.encoding import H, lv
from p2pchat.crypto.envelope import HEADER_BYTES, STATEMENT_BYTES, Kind, pad
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.opening import Opened, Opener, OpeningFailed, Step
from p2pchat.crypto.primitives import hybrid_generate
from p2pchat.errors import CannotOpen
from tests.crypto.forge import KEY_ID, MESSAGE, PRIVATE, Forger, key_of
from tests.crypto.keys import Drawn, heir, identity, session_key


def opener(me: Identity | None = None, kind: Kind = Kind.MAIL, private: bytes = PRIVATE) -> Opener:
    made = Opener(me or identity("bob"))
    made.add_key(kind, KEY_ID, private)
    return made


class OpeningTestCase(SynchronousTestCase):
    """Has one genuine envelope from alice to bob."""

    def setUp(self) -> None:
        self.forger = Forger()
        self.header, self.message = self.forger.header(), self.forger.message()

    def open(
        self,
        header: bytes | None = None,
        message: bytes | None = None,
        sender: PublicIdentity | None = None,
        by: Opener | None = None,
        other_end: tuple[str, int] | None = None,
    ) -> Opened:
        pinned = identity("alice").public if sender is None else sender
        chosen = self.header if header is None else header
        return (by or opener()).open(chosen, self.message if message is None else message, pinned, other_end)

    def refused(self, step: Step, *arguments: Any, **named: Any) -> OpeningFailed:
        error: OpeningFailed = self.assertRaises(OpeningFailed, self.open, *arguments, **named)
        self.assertEqual((str(error), error.code), ("This message cannot be opened.", CannotOpen.code))
        self.assertEqual(error.step, step, error.reason)
        return error


class GenuineTests(OpeningTestCase):
    def test_a_genuine_envelope_opens_and_its_root_is_kept(self) -> None:
        bob = opener()
        self.assertEqual(self.open(by=bob).message, MESSAGE)
        self.assertEqual(self.open(message=self.forger.message(), by=bob).digest, H(MESSAGE.encode()))
        self.assertEqual(bob.claim(self.header + self.message).fingerprint, identity("alice").fingerprint)

    def test_roots_go_with_their_key(self) -> None:
        bob = opener()
        self.open(by=bob)
        bob.drop_key(KEY_ID)
        self.refused(Step.KEY, by=bob)
        self.assertRaises(OpeningFailed, bob.claim, self.header)

    def test_a_newer_version_is_said_to_be_newer(self) -> None:
        error = self.refused(Step.FORM, b"\x02" + self.header[1:])
        self.assertTrue(error.newer)
        self.assertFalse(self.refused(Step.FORM, b"\x00" + self.header[1:]).newer)

    def test_a_channel_takes_only_its_other_end(self) -> None:
        forger = Forger(key_of(kind=Kind.CHANNEL))
        header, message = forger.header(), forger.message()
        bob = opener(kind=Kind.CHANNEL)
        self.assertEqual(self.open(header, message, by=bob, other_end=("alice", 1)).message, MESSAGE)
        for other_end in (("carol", 1), ("alice", 2), None):
            self.refused(Step.SENDER, header, message, by=bob, other_end=other_end)
        self.refused(Step.SENDER, other_end=("alice", 1))


class LockTests(OpeningTestCase):
    def test_each_lock_counts(self) -> None:
        bob, carol = identity("bob"), identity("carol")
        wrong_rsa = Identity(bob.public, bob.pkcs8_sign, carol.pkcs8_seal, bob._sign, carol._seal)
        self.refused(Step.RSA, by=opener(wrong_rsa))
        self.refused(Step.HYBRID, by=opener(private=hybrid_generate(Drawn(51))))

    def test_parts_of_another_valid_header_do_not_fit(self) -> None:
        other = Forger(chance=Drawn(61)).header()
        for start, end, step in ((18, 1186, Step.HYBRID), (1186, 1570, Step.HYBRID), (1570, 2610, Step.SENDER)):
            self.refused(step, self.header[:start] + other[start:end] + self.header[end:])


class ContextTests(OpeningTestCase):
    def test_every_other_field_of_the_statement_is_refused(self) -> None:
        for changes in (
            {"recipient": "carol"},
            {"recipient_fingerprint": identity("carol").fingerprint},
            {"kind": 2},
            {"key_id": bytes(16)},
            {"x": bytes(32)},
            {"fingerprint": identity("carol").fingerprint},
            {"user": "carol"},
        ):
            lie = self.forger.statement(**changes).encode(self.forger.ring)
            self.refused(Step.SENDER, self.forger.header(lie))

    def test_what_the_sender_signed_cannot_be_exchanged(self) -> None:
        true = self.forger.statement().encode(self.forger.ring)
        signature = identity("alice").sign(true)
        for changes in (
            {"signing_key": session_key(9).public_key().public_bytes_raw()},
            {"account_version": 2},
            {"session_epoch": 2},
        ):
            lie = self.forger.statement(**changes).encode(self.forger.ring)
            self.refused(Step.SENDER, self.forger.header(lie, signature))
        self.refused(Step.SENDER, self.forger.header(signature=identity("carol").sign(true)))
        self.refused(Step.SENDER, self.forger.header(signature=signature[:-1]))

    def test_other_rings_kinds_and_recipients_are_refused(self) -> None:
        bob = identity("bob")
        other_ring = Identity.load("bob", bytes(32), bob.pkcs8_sign, bob.pkcs8_seal)
        self.refused(Step.HYBRID, by=opener(other_ring))
        renamed = replace(bob, public=replace(bob.public, user="bobby"))
        self.refused(Step.HYBRID, by=opener(renamed))
        self.refused(Step.KEY, by=opener(kind=Kind.CHANNEL))
        self.refused(Step.HYBRID, self.header[:1] + b"\x02" + self.header[2:], by=opener(kind=Kind.CHANNEL))
        foreign = Forger(ring=bytes(32))
        self.refused(Step.HYBRID, foreign.header(), foreign.message())

    def test_a_statement_with_another_form_is_refused(self) -> None:
        said = self.forger.statement().encode(self.forger.ring)
        proof = identity("alice").sign(said)
        for plain in (
            pad(lv(said) + lv(proof) + lv(b""), STATEMENT_BYTES),
            pad(lv(said), STATEMENT_BYTES),
            pad(b"", STATEMENT_BYTES),
            bytes(STATEMENT_BYTES),
        ):
            self.refused(Step.SENDER, self.forger.around(plain))

    def test_the_pin_decides_who_the_sender_is(self) -> None:
        for pin in (identity("carol").public, replace(heir().public, user="alice")):
            self.refused(Step.SENDER, sender=pin)
        by = opener()
        self.open(by=by)
        self.refused(Step.SENDER, sender=replace(identity("alice").public, ring=bytes(32)), by=by)

    def test_a_recipient_cannot_forward_a_statement(self) -> None:
        said = self.forger.statement().encode(self.forger.ring)
        signature = identity("alice").sign(said)
        onward = Forger(key_of("carol"), identity("bob"), self.forger.signing)
        header = onward.header(said, signature)
        self.refused(Step.SENDER, header, onward.message(), by=opener(identity("carol")))


class KeyCompromiseTests(OpeningTestCase):
    """A thief has every private key of bob and a genuine header from alice, and wants to be alice to bob."""

    def test_the_thief_cannot_speak_as_alice(self) -> None:
        thief = session_key(66)
        self.refused(Step.MESSAGE, message=self.forger.message(signing=thief))
        said = self.forger.statement().encode(self.forger.ring)
        signature = identity("alice").sign(said)
        anew = Forger(chance=Drawn(67), signing=thief)
        self.refused(Step.SENDER, anew.header(said, signature), anew.message())
        own = anew.statement().encode(anew.ring)
        self.refused(Step.SENDER, anew.header(own, signature), anew.message())
        self.refused(Step.SENDER, anew.header(own, identity("bob").sign(own)), anew.message())

    def test_a_genuine_signature_does_not_move_to_another_message(self) -> None:
        fresh, encoded = bytes(32), MESSAGE.encode()
        said = self.forger.signing.sign(b"something else")
        self.refused(Step.MESSAGE, message=self.forger.box(lv(encoded) + said, fresh))
        self.refused(Step.MESSAGE, message=self.forger.box(lv(encoded), fresh))
        self.refused(Step.MESSAGE, message=self.forger.box(b"", fresh))


class DamageTests(OpeningTestCase):
    """Flips, cuts and additions: a bit of each byte, in turn another one (every one where that is cheap)."""

    def test_flips_in_the_header(self) -> None:
        by = opener()
        step = {**dict.fromkeys(range(18), 1), **dict.fromkeys(range(18, 1186), 3)}
        at = 0
        while at < HEADER_BYTES:
            flipped = self.header[:at] + bytes([self.header[at] ^ (1 << at % 8)]) + self.header[at + 1 :]
            error = self.assertRaises(OpeningFailed, self.open, flipped, by=by)
            self.assertEqual(str(error), "This message cannot be opened.")
            at += step.get(at, 13)

    def test_every_flip_in_the_message(self) -> None:
        by = opener()
        for at in range(8 * len(self.message)):
            flipped = bytearray(self.message)
            flipped[at // 8] ^= 1 << at % 8
            self.assertRaises(OpeningFailed, self.open, message=bytes(flipped), by=by)

    def test_every_cut_and_addition(self) -> None:
        by = opener()
        for end in range(len(self.message)):
            self.refused_either(message=self.message[:end], by=by)
        for end in range(HEADER_BYTES):
            self.refused(Step.FORM, self.header[:end], by=by)
        for more in (b"\0", self.message, bytes(256)):
            self.refused_either(message=self.message + more, by=by)
            self.refused(Step.FORM, self.header + more, by=by)
        self.refused(Step.FORM, message=bytes(70_000), by=by)

    def refused_either(self, **named: Any) -> None:
        error = self.assertRaises(OpeningFailed, self.open, **named)
        self.assertEqual(str(error), "This message cannot be opened.")
