"""Channel keys: what the two ends of a direct connection seal to, one per connection and direction, in RAM only.

record = LV(body) ‖ LV(signature by the session key).  The TLS exporter in the body ties a key to its connection.
"""

import os
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.encoding import KEY_ID_BYTES, H, T, lv, number, sized, split, u64, untagged
from p2pchat.crypto.primitives import (
    HYBRID_PUBLIC_BYTES,
    SIGNATURE_BYTES,
    Chance,
    ed25519_verify,
    hybrid_generate,
    hybrid_public,
)
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import Misbehaved

EXPORTER_LABEL = b"EXPORTER-p2pchat-channel"
EXPORTER_BYTES = 32
CHANNEL_KEY_SECONDS = 3600
CHANNEL_KEY_MESSAGES = 10_000
GRACE_SECONDS = 60
"""How long a replaced key still opens what was on its way."""


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """The public side: B (`owner`) lets S (`sender`) seal to it on one connection."""

    owner: SessionRecord
    sender: SessionRecord
    exporter: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def create(
        cls,
        key: Ed25519PrivateKey,
        owner: SessionRecord,
        sender: SessionRecord,
        exporter: bytes,
        private: bytes,
    ) -> Self:
        """Sign the key with the 96-byte private half `private`.

        Args:
            key: the session key of `owner` (us).
            sender: the other end's session record, verified.
            exporter: 32 bytes of TLS exporter (`EXPORTER_LABEL`, empty context) of this connection.
        """
        public = hybrid_public(private)
        return cls(owner, sender, exporter, public, key.sign(_body(owner, sender, exporter, public)))

    @classmethod
    def parse(cls, encoded: bytes, owner: SessionRecord, sender: SessionRecord, exporter: bytes) -> Self:
        """Read the other end's key, demanding that it is for us (`sender`) and for this connection.

        Raises:
            Misbehaved: it is not.
        """
        body, signature = split(encoded, 2)
        fields = untagged(body, "channel key", owner.identity.ring, 8)
        public = sized(fields[7], HYBRID_PUBLIC_BYTES, "A channel key")
        sized(signature, SIGNATURE_BYTES, "A signature")
        if number(fields[2]) != owner.epoch:
            raise Misbehaved("A channel key is of another session.")
        key = cls(owner, sender, exporter, public, signature)
        if body != key.body:
            raise Misbehaved("A channel key is for another person or another connection.")
        ed25519_verify(owner.public_key, signature, body)
        return key

    def encode(self) -> bytes:
        """LV(body) ‖ LV(signature)."""
        return lv(self.body) + lv(self.signature)

    @property
    def body(self) -> bytes:
        """T("channel key", B, fp_B, u64 epoch, u64 sequence, S, fp_S, exporter, pub)."""
        return _body(self.owner, self.sender, self.exporter, self.public_key)

    @property
    def key_id(self) -> bytes:
        """H(body)[0:16]."""
        return H(self.body)[:KEY_ID_BYTES]


@dataclass(slots=True)
class _Kept:
    key: ChannelKey
    key_id: bytes
    private: bytes = field(repr=False)
    since: float
    opened: int = 0
    replaced_at: float | None = None


class ChannelKeyring:
    """Our own keys of one connection: the one that the other end shall use, and those on their way out."""

    def __init__(
        self,
        key: Ed25519PrivateKey,
        owner: SessionRecord,
        sender: SessionRecord,
        exporter: bytes,
        chance: Chance = os.urandom,
    ) -> None:
        self._key, self._owner, self._sender, self._exporter = key, owner, sender, exporter
        self._chance = chance
        self._kept: list[_Kept] = []

    def current(self, now: float) -> ChannelKey:
        """The key to announce; a new one after an hour or 10,000 messages.  `now` in seconds, monotonic."""
        self._drop(now)
        latest = self._kept[-1] if self._kept else None
        if latest is None or self._worn(latest, now):
            if latest is not None:
                latest.replaced_at = now
            private = hybrid_generate(self._chance)
            made = ChannelKey.create(self._key, self._owner, self._sender, self._exporter, private)
            self._kept.append(_Kept(made, made.key_id, private, now))
        return self._kept[-1].key

    def private(self, key_id: bytes, now: float) -> bytes | None:
        """The private half of a key that still opens; counts one message.  None: no RSA work for that id."""
        self._drop(now)
        for each in self._kept:
            if each.key_id == key_id:
                each.opened += 1
                return each.private
        return None

    def close(self) -> None:
        """The connection is over: nothing opens any more."""
        self._kept.clear()

    def _worn(self, each: _Kept, now: float) -> bool:
        return now - each.since >= CHANNEL_KEY_SECONDS or each.opened >= CHANNEL_KEY_MESSAGES

    def _drop(self, now: float) -> None:
        self._kept = [each for each in self._kept if each.replaced_at is None or now - each.replaced_at < GRACE_SECONDS]


def _body(owner: SessionRecord, sender: SessionRecord, exporter: bytes, public: bytes) -> bytes:
    return T(
        "channel key",
        owner.identity.ring,
        owner.user.encode(),
        owner.fingerprint,
        u64(owner.epoch),
        u64(owner.sequence),
        sender.user.encode(),
        sender.fingerprint,
        sized(exporter, EXPORTER_BYTES, "A TLS exporter"),
        public,
    )
