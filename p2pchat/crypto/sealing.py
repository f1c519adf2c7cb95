"""Sealing of messages, for mail (kind 1) and direct channels (kind 2).

The expensive header is made once per recipient's key and repeated bit for bit; each message takes new randomness.
"""

import os
from collections import OrderedDict
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.encoding import H, lv
from p2pchat.crypto.envelope import (
    FRESH_BYTES,
    MAX_BODY_BYTES,
    SECRET_BYTES,
    STATEMENT_BYTES,
    ZERO_NONCE,
    Header,
    Message,
    MessageContext,
    SealingKey,
    SenderStatement,
    kem_info,
    pad,
    root_key,
    statement_key,
    transcript,
)
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.primitives import (
    Chance,
    ed25519_generate,
    gcm_seal,
    hpke_seal,
    oaep_seal,
)

HEADER_SECONDS = 3600
HEADER_MESSAGES = 1000
KNOWN_HEADERS = 256
"""Headers that a sealer keeps, and opened roots that an opener keeps (least recently used ones go)."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed message; mail is header and message together, a channel sends a header once."""

    header: bytes = field(repr=False)
    message: bytes = field(repr=False)

    @property
    def envelope(self) -> bytes:
        """header ‖ m."""
        return self.header + self.message


@dataclass(slots=True)
class _Sending:
    header: bytes
    context: MessageContext
    signing: Ed25519PrivateKey
    made_at: float
    used: int = 0

    def worn(self, now: float) -> bool:
        """Whether another header is due."""
        return now - self.made_at >= HEADER_SECONDS or self.used >= HEADER_MESSAGES


def _index(to: SealingKey) -> tuple[bytes, ...]:
    return to.recipient.fingerprint, bytes([to.kind]), to.key_id


class Sealer:
    """Seals for one sender; keeps the expensive headers, in RAM only."""

    def __init__(self, sender: Identity, account_version: int, session_epoch: int, chance: Chance = os.urandom) -> None:
        self._sender, self._version, self._epoch, self._chance = sender, account_version, session_epoch, chance
        self._kept: OrderedDict[tuple[bytes, ...], _Sending] = OrderedDict()

    def seal(self, to: SealingKey, message: Message, now: float) -> Sealed:
        """Seal `message`; each call takes new randomness, also for a retry.

        Args:
            to: verified by the caller (record, pin, number not lower than seen).
            now: seconds of a monotonic clock.
        Raises:
            ValueError: the body is longer than `MAX_BODY_BYTES`.
        """
        if len(message.body) > MAX_BODY_BYTES:
            raise ValueError(f"a message's body has at most {MAX_BODY_BYTES} bytes")
        return self.seal_encoded(to, message.encode(), now)

    def seal_encoded(self, to: SealingKey, encoded: bytes, now: float) -> Sealed:
        """As `seal`, for the bytes of a message that was encoded before."""
        sending = self._sending(to, now)
        sending.used += 1
        context, fresh = sending.context, self._chance(FRESH_BYTES)
        signature = sending.signing.sign(context.statement(fresh, encoded))
        plain = pad(lv(encoded) + signature)
        return Sealed(sending.header, fresh + gcm_seal(context.key(fresh), ZERO_NONCE, plain, context.x))

    def lasts(self, to: SealingKey, now: float) -> bool:
        """Whether the next message to this key has the header of the one before."""
        kept = self._kept.get(_index(to))
        return kept is not None and not kept.worn(now)

    def renew(self, account_version: int, session_epoch: int) -> None:
        """Our own account or session changed: forget every header."""
        self._version, self._epoch = account_version, session_epoch
        self._kept.clear()

    def _sending(self, to: SealingKey, now: float) -> _Sending:
        index = _index(to)
        kept = self._kept.get(index)
        if kept is None or kept.worn(now):
            kept = self._kept[index] = self._prepare(to, now)
        self._kept.move_to_end(index)
        while len(self._kept) > KNOWN_HEADERS:
            self._kept.popitem(last=False)
        return kept

    def _prepare(self, to: SealingKey, now: float) -> _Sending:
        ring, recipient, c = to.recipient.ring, to.recipient, to.context
        s2 = self._chance(SECRET_BYTES)
        c2 = oaep_seal(recipient.spki_seal, s2, H(c))
        s1 = self._chance(SECRET_BYTES)
        c1 = hpke_seal(to.public_key, s1, kem_info(ring, c, c2))
        x = transcript(ring, c, c1, c2)
        root = root_key(ring, s1, s2, x)
        signing = ed25519_generate(self._chance)
        me = self._sender
        statement = SenderStatement(
            me.user,
            me.fingerprint,
            self._version,
            self._epoch,
            recipient.user,
            recipient.fingerprint,
            to.kind,
            to.key_id,
            x,
            signing.public_key().public_bytes_raw(),
        ).encode(ring)
        plain = pad(lv(statement) + lv(me.sign(statement)), STATEMENT_BYTES)
        st = gcm_seal(statement_key(ring, root, x), ZERO_NONCE, plain, x)
        header = Header(to.kind, to.key_id, c1, c2, st).encode()
        return _Sending(header, MessageContext.of(ring, root, x), signing, now)
