"""Bytes of a sealed message: header, statement of the sender, message, padding (docs/protocol.md, "Sealing")."""

import enum
from dataclasses import dataclass, field
from typing import Self

from p2pchat.crypto.encoding import (
    DIGEST_BYTES,
    KEY_ID_BYTES,
    LENGTH_BYTES,
    H,
    T,
    lv,
    number,
    sized,
    split,
    u8,
    u64,
    untagged,
    user_name,
)
from p2pchat.crypto.identity import PublicIdentity
from p2pchat.crypto.primitives import (
    ED25519_BYTES,
    GCM_NONCE_BYTES,
    GCM_TAG_BYTES,
    HPKE_OVERHEAD_BYTES,
    RSA_BYTES,
    SIGNATURE_BYTES,
    kdf,
)
from p2pchat.errors import Misbehaved

HEADER_VERSION = 1
SECRET_BYTES = 32
C1_BYTES = SECRET_BYTES + HPKE_OVERHEAD_BYTES
C2_BYTES = RSA_BYTES
STATEMENT_BYTES = 1024
ST_BYTES = STATEMENT_BYTES + GCM_TAG_BYTES
HEADER_BYTES = 2 + KEY_ID_BYTES + C1_BYTES + C2_BYTES + ST_BYTES
FRESH_BYTES = 32
MESSAGE_ID_BYTES = 16
MIN_PADDED_BYTES = 256
MAX_PADDED_BYTES = 57_344
MAX_BODY_BYTES = 57_000
MAX_MESSAGE_BYTES = FRESH_BYTES + MAX_PADDED_BYTES + GCM_TAG_BYTES
MAX_ENVELOPE_BYTES = HEADER_BYTES + MAX_MESSAGE_BYTES
ZERO_NONCE = bytes(GCM_NONCE_BYTES)
"""Safe because every key that it is used with is derived for one plaintext."""


class Kind(enum.IntEnum):
    """To which sort of key a header is sealed."""

    MAIL = 1
    CHANNEL = 2


@dataclass(frozen=True, slots=True)
class Message:
    """F: what one person says to the other's program; every sort of content is one of these.

    `id` and `previous` are 16 random bytes, `sent` milliseconds since 1970.  A retry keeps all of it.
    """

    id: bytes
    sequence: int
    previous: bytes | None
    type: int
    sent: int
    body: bytes = field(repr=False)

    def encode(self) -> bytes:
        """LV(id16) ‖ LV(u64 seq) ‖ LV(prev id16 or empty) ‖ LV(u8 type) ‖ LV(u64 sent ms) ‖ LV(body)."""
        sized(self.id, MESSAGE_ID_BYTES, "A message id")
        previous = sized(self.previous, MESSAGE_ID_BYTES, "A message id") if self.previous else b""
        fields = (self.id, u64(self.sequence), previous, u8(self.type), u64(self.sent), self.body)
        return b"".join(map(lv, fields))

    @classmethod
    def parse(cls, encoded: bytes) -> Self:
        """Undo `encode`; Misbehaved for any other form."""
        named, sequence, previous, type_, sent, body = split(encoded, 6)
        before = sized(previous, MESSAGE_ID_BYTES, "A message id") if previous else None
        sized(named, MESSAGE_ID_BYTES, "A message id")
        return cls(named, number(sequence), before, number(type_, 1), number(sent), body)


@dataclass(frozen=True, slots=True)
class SealingKey:
    """To whom and to which key of theirs one seals."""

    recipient: PublicIdentity
    kind: Kind
    key_id: bytes
    public_key: bytes = field(repr=False)

    @property
    def context(self) -> bytes:
        """C."""
        return context(self.recipient, self.kind, self.key_id)


def context(recipient: PublicIdentity, kind: Kind, key_id: bytes) -> bytes:
    """C = T("seal", u8 kind, B, fp_B, key id)."""
    return T("seal", recipient.ring, u8(kind), recipient.user.encode(), recipient.fingerprint, key_id)


def kem_info(ring: bytes, c: bytes, c2: bytes) -> bytes:
    """The HPKE info of c1: H(T("kem", C, c2))."""
    return H(T("kem", ring, c, c2))


def transcript(ring: bytes, c: bytes, c1: bytes, c2: bytes) -> bytes:
    """X = H(T("transcript", C, c1, c2))."""
    return H(T("transcript", ring, c, c1, c2))


def root_key(ring: bytes, s1: bytes, s2: bytes, x: bytes) -> bytes:
    """root = KDF(s1 ‖ s2, X, T("root"), 32)."""
    return kdf(s1 + s2, x, T("root", ring), 32)


def statement_key(ring: bytes, root: bytes, x: bytes) -> bytes:
    """The key of st."""
    return kdf(root, x, T("statement key", ring), 32)


@dataclass(frozen=True, slots=True)
class MessageContext:
    """What all messages under one header have in common, encoded once."""

    x: bytes
    root: bytes = field(repr=False)
    _key_label: bytes = field(repr=False)
    _statement_start: bytes = field(repr=False)

    @classmethod
    def of(cls, ring: bytes, root: bytes, x: bytes) -> Self:
        """For the header with this transcript and root."""
        return cls(x, root, T("message key", ring, x), T("message", ring, x))

    def key(self, fresh: bytes) -> bytes:
        """The key of one message: KDF(root, r, T("message key", X), 32)."""
        return kdf(self.root, fresh, self._key_label, 32)

    def statement(self, fresh: bytes, encoded: bytes) -> bytes:
        """What spk signs: T("message", X, r, F); fields of a T follow each other, so its start is always the same."""
        return b"".join((self._statement_start, lv(fresh), lv(encoded)))


def envelope_id(recipient: str, ring: bytes, envelope: bytes) -> bytes:
    """H(T("envelope", B, envelope)): the element of the mailbox's set."""
    return H(T("envelope", ring, recipient.encode(), envelope))


@dataclass(frozen=True, slots=True)
class SenderStatement:
    """P: who seals, bound to recipient, key and transcript."""

    user: str
    fingerprint: bytes
    account_version: int
    session_epoch: int
    recipient: str
    recipient_fingerprint: bytes
    kind: int
    key_id: bytes
    x: bytes
    signing_key: bytes

    def encode(self, ring: bytes) -> bytes:
        """T("sender", S, fp_S, u64 version, u64 epoch, B, fp_B, u8 kind, key id, X, spk)."""
        return T(
            "sender",
            ring,
            self.user.encode(),
            self.fingerprint,
            u64(self.account_version),
            u64(self.session_epoch),
            self.recipient.encode(),
            self.recipient_fingerprint,
            u8(self.kind),
            self.key_id,
            self.x,
            self.signing_key,
        )

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Undo `encode`."""
        user, fp, version, epoch, recipient, recipient_fp, kind, key_id, x, spk = untagged(encoded, "sender", ring, 10)
        return cls(
            user_name(user),
            sized(fp, DIGEST_BYTES, "A fingerprint"),
            number(version),
            number(epoch),
            user_name(recipient),
            recipient_fp,
            number(kind, 1),
            key_id,
            x,
            sized(spk, ED25519_BYTES, "A signing key"),
        )


@dataclass(frozen=True, slots=True)
class Header:
    """01 ‖ u8 kind ‖ key id ‖ c1 ‖ c2 ‖ st, 2,610 bytes."""

    kind: int
    key_id: bytes
    c1: bytes = field(repr=False)
    c2: bytes = field(repr=False)
    st: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The bytes as they travel."""
        return bytes([HEADER_VERSION, self.kind]) + self.key_id + self.c1 + self.c2 + self.st

    @classmethod
    def parse(cls, encoded: bytes) -> Self:
        """Cut a header of exactly 2,610 bytes (whose version the caller has seen to be 1)."""
        sized(encoded, HEADER_BYTES, "A header")
        key_at = 2
        c1_at = key_at + KEY_ID_BYTES
        c2_at = c1_at + C1_BYTES
        st_at = c2_at + C2_BYTES
        parts = (encoded[key_at:c1_at], encoded[c1_at:c2_at], encoded[c2_at:st_at], encoded[st_at:])
        return cls(encoded[1], *parts)


def padded_length(length: int) -> int:
    """To how much `length` bytes are padded: a multiple of max(256, 2^(floor(log2 n) - 2)), n = length + 1."""
    n = length + 1
    unit = max(MIN_PADDED_BYTES, 1 << max(0, n.bit_length() - 3))
    return -(-n // unit) * unit


def sealed_length(encoded: int) -> int:
    """Bytes of m for an F of so many bytes."""
    return FRESH_BYTES + padded_length(LENGTH_BYTES + encoded + SIGNATURE_BYTES) + GCM_TAG_BYTES


def pad(plain: bytes, to: int | None = None) -> bytes:
    """80 00… up to `to` bytes, or to what `padded_length` says."""
    end = padded_length(len(plain)) if to is None else to
    if end <= len(plain):
        raise ValueError(f"{len(plain)} bytes do not fit into {end}")
    return plain + b"\x80" + bytes(end - len(plain) - 1)


def unpad(padded: bytes, to: int | None = None) -> bytes:
    """Undo `pad`; Misbehaved unless it is exactly what `pad` makes."""
    plain, mark, zeros = padded.rpartition(b"\x80")
    end = padded_length(len(plain)) if to is None else to
    if not mark or zeros.strip(b"\x00") or len(padded) != end:
        raise Misbehaved("A padding is wrong.")
    return plain


def divide(envelope: bytes) -> tuple[bytes, bytes]:
    """Header and message of an envelope (whose form `claim` and `open` check)."""
    return envelope[:HEADER_BYTES], envelope[HEADER_BYTES:]


def key_id_in(envelope: bytes) -> bytes:
    """The id of the key that an envelope is sealed to: what members compare with the mail key register."""
    if len(envelope) <= HEADER_BYTES or envelope[1] != Kind.MAIL:
        raise Misbehaved("This is no envelope for a mailbox.")
    return envelope[2 : 2 + KEY_ID_BYTES]
