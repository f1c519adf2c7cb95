"""Headers and messages that a liar could make: everything is right but what a test changes."""

from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto import envelope
from p2pchat.crypto.encoding import H, lv
from p2pchat.crypto.envelope import Header, Kind, Message, SealingKey, SenderStatement
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.primitives import gcm_seal, hpke_seal, hybrid_generate, hybrid_public, oaep_seal
from tests.crypto.keys import Drawn, identity, session_key

PRIVATE = hybrid_generate(Drawn(50))
KEY_ID = bytes(range(16))
MESSAGE = Message(bytes(16), 1, None, 1, 1_790_000_000_000, b"hello")


def key_of(user: str = "bob", kind: Kind = Kind.MAIL, private: bytes = PRIVATE, key_id: bytes = KEY_ID) -> SealingKey:
    """A key of `user` to seal to."""
    return SealingKey(identity(user).public, kind, key_id, hybrid_public(private))


@dataclass
class Forger:
    """Makes one header from `sender` to `to`, step by step, with its secrets in reach."""

    to: SealingKey = field(default_factory=key_of)
    sender: Identity = field(default_factory=lambda: identity("alice"))
    signing: Ed25519PrivateKey = field(default_factory=lambda: session_key(60))
    chance: Drawn = field(default_factory=lambda: Drawn(60))
    ring: bytes = b""

    def __post_init__(self) -> None:
        self.ring = self.ring or self.to.recipient.ring
        c = self.context = envelope.context(replace(self.to.recipient, ring=self.ring), self.to.kind, self.to.key_id)
        s2, s1 = self.chance(32), self.chance(32)
        self.c2 = oaep_seal(self.to.recipient.spki_seal, s2, H(c))
        self.c1 = hpke_seal(self.to.public_key, s1, envelope.kem_info(self.ring, c, self.c2))
        self.x = envelope.transcript(self.ring, c, self.c1, self.c2)
        self.root = envelope.root_key(self.ring, s1, s2, self.x)

    def statement(self, **changes: Any) -> SenderStatement:
        """P, with some of its fields changed."""
        to, raw = self.to, self.signing.public_key().public_bytes_raw()
        who, whom = self.sender.public, to.recipient
        true = SenderStatement(
            who.user, who.fingerprint, 1, 1, whom.user, whom.fingerprint, to.kind, to.key_id, self.x, raw
        )
        return replace(true, **changes)

    def header(self, statement: bytes | None = None, signature: bytes | None = None) -> bytes:
        """The header around P and PSS (by default the true ones)."""
        said = self.statement().encode(self.ring) if statement is None else statement
        proof = self.sender.sign(said) if signature is None else signature
        plain = envelope.pad(lv(said) + lv(proof), envelope.STATEMENT_BYTES)
        return self.around(plain)

    def around(self, plain: bytes) -> bytes:
        """The header around 1,024 bytes of anything."""
        key = envelope.statement_key(self.ring, self.root, self.x)
        st = gcm_seal(key, envelope.ZERO_NONCE, plain, self.x)
        return Header(self.to.kind, self.to.key_id, self.c1, self.c2, st).encode()

    @property
    def message_context(self) -> envelope.MessageContext:
        """What messages under this header are bound to."""
        return envelope.MessageContext.of(self.ring, self.root, self.x)

    def message(self, message: Message = MESSAGE, signing: Ed25519PrivateKey | None = None) -> bytes:
        """m under this header's root."""
        fresh, encoded = self.chance(32), message.encode()
        said = self.message_context.statement(fresh, encoded)
        return self.box(lv(encoded) + (signing or self.signing).sign(said), fresh)

    def box(self, plain: bytes, fresh: bytes) -> bytes:
        """m around anything, under r = `fresh`."""
        key = self.message_context.key(fresh)
        return fresh + gcm_seal(key, envelope.ZERO_NONCE, envelope.pad(plain), self.x)
