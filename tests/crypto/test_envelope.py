"""Tests of the envelope's bytes: sizes, padding, and forms that are refused."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto import envelope
from p2pchat.crypto.envelope import Header, Message, pad, padded_length, unpad
from p2pchat.errors import Misbehaved
from tests.crypto.keys import RING


class PaddingTests(SynchronousTestCase):
    def test_lengths_are_those_of_the_rule(self) -> None:
        expected = {0: 256, 255: 256, 256: 512, 1023: 1024, 1024: 1280, 2047: 2048, 2048: 2560, 57_343: 57_344}
        self.assertEqual({each: padded_length(each) for each in expected}, expected)

    def test_padding_comes_off_again(self) -> None:
        for length in (0, 1, 255, 256, 1000, 5000):
            for plain in (bytes(length), b"\x80" * length):
                self.assertEqual(unpad(pad(plain)), plain)
        self.assertEqual(unpad(pad(b"x", 1024), 1024), b"x")

    def test_only_the_one_padding_is_accepted(self) -> None:
        plain = pad(b"x")
        for wrong in (plain + bytes(256), plain[:-1], bytes(256), b"", plain[:-1] + b"\x01", b"x" * 256, b"x\x80"):
            self.assertRaises(Misbehaved, unpad, wrong)
        self.assertRaises(Misbehaved, unpad, pad(b"x", 512), 1024)
        self.assertRaises(ValueError, pad, bytes(1024), 1024)


class FormTests(SynchronousTestCase):
    def test_a_header_has_2610_bytes(self) -> None:
        self.assertEqual(envelope.HEADER_BYTES, 2610)
        made = bytes([1, 2]) + bytes(range(16)) + bytes(2592)
        self.assertEqual(Header.parse(made).encode(), made)
        for wrong in (made[:-1], made + b"\0", b""):
            self.assertRaises(Misbehaved, Header.parse, wrong)

    def test_the_longest_envelope_is_one_amp_value(self) -> None:
        longest = Message(bytes(16), 2**64 - 1, bytes(16), 255, 0, bytes(envelope.MAX_BODY_BYTES)).encode()
        self.assertEqual(padded_length(4 + len(longest) + 64), envelope.MAX_PADDED_BYTES)
        self.assertLess(envelope.MAX_ENVELOPE_BYTES, 65_535)

    def test_messages_come_back_and_other_forms_do_not(self) -> None:
        for made in (
            Message(bytes(16), 0, None, 0, 0, b""),
            Message(bytes([1]) * 16, 2**64 - 1, bytes(16), 255, 2**64 - 1, b"body"),
        ):
            self.assertEqual(Message.parse(made.encode()), made)
            for end in range(len(made.encode())):
                self.assertRaises(Misbehaved, Message.parse, made.encode()[:end])
        self.assertRaises(Misbehaved, Message(b"short", 0, None, 0, 0, b"").encode)

    def test_the_key_of_an_envelope_is_read_from_mail_only(self) -> None:
        mail = bytes([1, 1]) + bytes(range(16)) + bytes(2592 + 304)
        self.assertEqual(envelope.key_id_in(mail), bytes(range(16)))
        self.assertEqual(b"".join(envelope.divide(mail)), mail)
        for wrong in (b"", mail[:2610], bytes([1, 2]) + mail[2:]):
            self.assertRaises(Misbehaved, envelope.key_id_in, wrong)

    def test_the_envelope_id_is_for_one_recipient_and_ring(self) -> None:
        ids = {envelope.envelope_id(user, ring, b"e") for user in ("bob", "eve") for ring in (RING, bytes(32))}
        self.assertEqual(len(ids), 4)
