"""Makes the vectors anew: `python -m tests.vectors.make`.  Run by hand only, when the protocol's version changes."""

import json
from base64 import b64encode
from typing import Any

from p2pchat.crypto import credentials
from p2pchat.crypto.account import Account
from p2pchat.crypto.channel import ChannelKey
from p2pchat.crypto.envelope import Kind, Message, SealingKey, envelope_id
from p2pchat.crypto.mailkey import MailKeyRecord, MailKeys
from p2pchat.crypto.passwords import PARAMETERS, Stretched
from p2pchat.crypto.primitives import hybrid_public
from p2pchat.crypto.proofs import Acknowledgement, SignedRequest
from p2pchat.crypto.sealing import Sealer
from p2pchat.crypto.session import SessionRecord, seal_addresses
from p2pchat.crypto.vault import RecoveryKey
from p2pchat.identifiers import Address, Identifier
from tests.crypto import independent
from tests.crypto.keys import CHEAP, RING, VECTORS, Drawn, identity, session_key

PASSWORD = b"correct horse battery staple"


def text(values: dict[str, Any]) -> dict[str, Any]:
    return {key: b64encode(each).decode() if isinstance(each, bytes) else each for key, each in values.items()}


def sealed(kind: Kind, key_id: bytes, private: bytes, body: bytes) -> dict[str, Any]:
    """An envelope from alice to bob and everything on the way."""
    alice, bob = identity("alice"), identity("bob")
    message = Message(bytes(16), 7, bytes([1]) * 16, 1, 1_790_000_000_123, body)
    to = SealingKey(bob.public, kind, key_id, hybrid_public(private))
    made = Sealer(alice, 3, 5, Drawn(9)).seal(to, message, 0.0)
    parts = independent.open_header(
        made.header,
        ring=RING,
        me=b"bob",
        my_fingerprint=bob.fingerprint,
        pkcs8_seal=bob.pkcs8_seal,
        hybrid=private,
        key_id=key_id,
        sender_spki=alice.public.spki_sign,
    )
    parts |= independent.open_message(made.message, RING, parts)
    whole = {"envelope": made.envelope, "envelope id": envelope_id("bob", RING, made.envelope)}
    return text({"kind": int(kind), "key id": key_id, "private": private, **whole, **parts})


def passwords() -> dict[str, bytes]:
    """A password stretched at the product's price."""
    stretched = Stretched.stretch(PASSWORD, "bob", RING, bytes(32), PARAMETERS)
    keys = {each: stretched.k(each) for each in ("auth", "vault check", "vault key")}
    return {"K": stretched.secret, **keys}


def session_of_bob(chance: Drawn) -> SessionRecord:
    """A first session with one sealed address."""
    box = seal_addresses([Address("192.0.2.7", 7403)], bytes(range(16)), "bob", RING, (1, 0), chance)
    return SessionRecord.create(identity("bob"), session_key(2), Identifier(5), box, 1_790_000_000_000, None, True)


def main() -> None:
    """Write records.json and sealing.json."""
    alice, bob, chance = identity("alice"), identity("bob"), Drawn(1)
    enrolled = credentials.register(bob, PASSWORD, RecoveryKey(bytes(range(32))), CHEAP, chance)
    account: Account = enrolled.account
    session = session_of_bob(chance)
    sender = SessionRecord.create(alice, session_key(1), Identifier(6), b"", 1_790_000_000_000, None, True)
    old = MailKeyRecord.create(bob, 1, 1, chance(96), account.credentials.escrow_public)
    private = chance(96)
    keys = MailKeys(old).rotated(MailKeyRecord.create(bob, 1, 2, private, account.credentials.escrow_public))
    exporter, channel_private = bytes([9]) * 32, chance(96)
    channel = ChannelKey.create(session_key(2), session, sender, exporter, channel_private)
    records = {
        "ring": RING,
        "alice fingerprint": alice.fingerprint,
        "bob fingerprint": bob.fingerprint,
        "bob digits": " ".join(bob.public.digits),
        "account": account.encode(),
        "account digest": account.public.digest,
        "escrow private": enrolled.secrets.escrow_private,
        "recovery key": RecoveryKey(bytes(range(32))).printed(),
        **passwords(),
        "session": session.encode(),
        "session digest": session.digest,
        "mail keys": keys.encode(),
        "mail key id": keys.current.key_id,
        "mail key private": private,
        "exporter": exporter,
        "channel key": channel.encode(),
        "channel key id": channel.key_id,
        "request": SignedRequest.create(session_key(2), session, 8, "Fetch", b"arguments").encode(RING),
        "acknowledgement": Acknowledgement.create(session_key(2), session, [bytes(32), bytes([1]) * 32]).encode(),
    }
    (VECTORS / "records.json").write_text(json.dumps(text(records), indent=1) + "\n")
    envelopes = [
        sealed(Kind.MAIL, keys.current.key_id, private, b"hello"),
        sealed(Kind.MAIL, keys.current.key_id, private, "grüße 🌍 ".encode() * 100),
        sealed(Kind.CHANNEL, channel.key_id, channel_private, b""),
    ]
    (VECTORS / "sealing.json").write_text(json.dumps(envelopes, indent=1) + "\n")


if __name__ == "__main__":
    main()
