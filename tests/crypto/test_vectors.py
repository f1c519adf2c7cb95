"""Tests against stored bytes: every later version, and an opener that shares no code, must read them alike."""

import json
from base64 import b64decode
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto import channel, envelope, mailkey, session
from p2pchat.crypto.account import Account
from p2pchat.crypto.credentials import log_in, recover
from p2pchat.crypto.encoding import H
from p2pchat.crypto.envelope import Kind, SealingKey
from p2pchat.crypto.opening import Opener
from p2pchat.crypto.passwords import PARAMETERS, Stretched
from p2pchat.crypto.primitives import hybrid_public
from p2pchat.crypto.proofs import Reason, SignedRequest, check_acknowledgement
from p2pchat.crypto.session import SessionRecord
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.identifiers import Address
from tests.crypto import independent
from tests.crypto.keys import RING, VECTORS, identity, session_key

PASSWORD = b"correct horse battery staple"


def stored(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def raw(entry: dict[str, Any], key: str) -> bytes:
    return b64decode(entry[key])


class SealingVectorTests(SynchronousTestCase):
    def test_both_openers_yield_every_stored_intermediate(self) -> None:
        bob, alice = identity("bob"), identity("alice")
        for entry in stored("sealing.json"):
            header, message = envelope.divide(raw(entry, "envelope"))
            kind, key_id, private = Kind(entry["kind"]), raw(entry, "key id"), raw(entry, "private")
            parts = independent.open_header(
                header,
                ring=RING,
                me=b"bob",
                my_fingerprint=bob.fingerprint,
                pkcs8_seal=bob.pkcs8_seal,
                hybrid=private,
                key_id=key_id,
                sender_spki=alice.public.spki_sign,
            )
            parts |= independent.open_message(message, RING, parts)
            self.assertEqual({key: raw(entry, key) for key in parts}, parts)
            c = SealingKey(bob.public, kind, key_id, hybrid_public(private)).context
            x = envelope.transcript(RING, c, parts["c1"], parts["c2"])
            root = envelope.root_key(RING, parts["s1"], parts["s2"], x)
            self.assertEqual((c, x, root), (parts["C"], parts["X"], parts["root"]))
            key = envelope.MessageContext.of(RING, root, x).key(parts["r"])
            self.assertEqual(key, parts["message key"])
            opener = Opener(bob)
            opener.add_key(kind, key_id, private)
            other_end = ("alice", 5) if kind is Kind.CHANNEL else None
            opened = opener.open(header, message, alice.public, other_end)
            self.assertEqual(opened.message.encode(), parts["F"])
            self.assertEqual((opened.sender.account_version, opened.sender.session_epoch), (3, 5))
            self.assertEqual(envelope.envelope_id("bob", RING, header + message), raw(entry, "envelope id"))

    def test_the_independent_opener_refuses_what_is_not_as_written(self) -> None:
        entry, bob = stored("sealing.json")[0], identity("bob")
        header, message = envelope.divide(raw(entry, "envelope"))
        parts = {key: raw(entry, key) for key in ("X", "root", "spk")}
        failures = (ValueError, InvalidTag, InvalidSignature)
        self.assertRaises(failures, independent.open_message, message[:-1], RING, parts)
        self.assertRaises(failures, independent.open_message, message, RING, {**parts, "spk": bytes(32)})
        for key, sender in ((raw(entry, "private"), bob), (bytes(96), identity("alice"))):
            self.assertRaises(
                failures,
                independent.open_header,
                header,
                ring=RING,
                me=b"bob",
                my_fingerprint=bob.fingerprint,
                pkcs8_seal=bob.pkcs8_seal,
                hybrid=key,
                key_id=raw(entry, "key id"),
                sender_spki=sender.public.spki_sign,
            )


class RecordVectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.records = stored("records.json")

    def raw(self, key: str) -> bytes:
        return raw(self.records, key)

    def test_identities_and_their_digits(self) -> None:
        for user in ("alice", "bob"):
            public = identity(user).public
            again = independent.fingerprint(RING, user.encode(), public.spki_sign, public.spki_seal)
            self.assertEqual((public.fingerprint, again), (self.raw(f"{user} fingerprint"),) * 2)
        self.assertEqual(" ".join(identity("bob").public.digits), self.records["bob digits"])

    def test_the_account_opens_by_password_and_by_recovery_key(self) -> None:
        account = Account.parse(self.raw("account"), RING)
        self.assertEqual(account.public.digest, self.raw("account digest"))
        found = account.credentials
        secrets = log_in(account, Stretched.stretch(PASSWORD, "bob", RING, found.salt, found.parameters))
        self.assertEqual(secrets.identity, identity("bob"))
        self.assertEqual(secrets.escrow_private, self.raw("escrow private"))
        self.assertEqual(recover(account, RecoveryKey.parse(self.records["recovery key"])), secrets)

    def test_stretching_at_full_price(self) -> None:
        stretched = Stretched.stretch(PASSWORD, "bob", RING, bytes(32), PARAMETERS)
        expected = [self.raw(each) for each in ("K", "auth", "vault check", "vault key")]
        derived = [stretched.k(each) for each in ("auth", "vault check", "vault key")]
        self.assertEqual([stretched.secret, *derived], expected)

    def test_session_request_and_acknowledgement(self) -> None:
        record = SessionRecord.parse(self.raw("session"), RING)
        self.assertEqual(record.digest, self.raw("session digest"))
        self.assertEqual(session.open_addresses(record, bytes(range(16))), [Address("192.0.2.7", 7403)])
        SignedRequest.parse(self.raw("request"), RING).verify(record, "Fetch", b"arguments")
        proof, ids = self.raw("acknowledgement"), [bytes(32), bytes([1]) * 32]
        self.assertEqual(check_acknowledgement(record.encode(), proof, ids, RING), Reason.STORED)

    def test_mail_keys_open_from_escrow(self) -> None:
        keys = mailkey.MailKeys.parse(self.raw("mail keys"), RING)
        self.assertEqual(keys.current.key_id, self.raw("mail key id"))
        self.assertEqual(keys.current.key_id, H(keys.current.body)[:16])
        self.assertEqual(keys.current.private(self.raw("escrow private")), self.raw("mail key private"))

    def test_the_channel_key_is_read(self) -> None:
        owner = SessionRecord.parse(self.raw("session"), RING)
        sender = SessionRecord.create(identity("alice"), session_key(1), None, b"", 0, None, True)
        key = channel.ChannelKey.parse(self.raw("channel key"), owner, sender, self.raw("exporter"))
        self.assertEqual(key.key_id, self.raw("channel key id"))
