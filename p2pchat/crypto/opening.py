"""Opening of sealed messages, step by step in the binding order.

An opening that fails says `CannotOpen` to the outside, always in the same words; which step failed stands in
`OpeningFailed.step` and `.reason`, for the local log and `why`.
"""

import enum
from collections import OrderedDict
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from p2pchat.crypto.encoding import H, split
from p2pchat.crypto.envelope import (
    FRESH_BYTES,
    HEADER_BYTES,
    HEADER_VERSION,
    MAX_MESSAGE_BYTES,
    MIN_PADDED_BYTES,
    SECRET_BYTES,
    STATEMENT_BYTES,
    ZERO_NONCE,
    Header,
    Kind,
    Message,
    MessageContext,
    SenderStatement,
    context,
    kem_info,
    root_key,
    statement_key,
    transcript,
    unpad,
)
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.primitives import (
    GCM_TAG_BYTES,
    RSA_BYTES,
    SIGNATURE_BYTES,
    ed25519_public,
    gcm_open,
    hpke_open,
    verify,
)
from p2pchat.errors import CannotOpen, Misbehaved

KNOWN_HEADERS = 256
"""Opened roots that an opener keeps; the least recently used go."""


class Step(enum.StrEnum):
    """The steps of an opening, in their order (docs/protocol.md)."""

    FORM = "a"
    KEY = "b"
    HYBRID = "d"
    RSA = "e"
    SENDER = "f"
    MESSAGE = "g"


class OpeningFailed(CannotOpen):
    """What the outside sees is the same text for each failure; step and reason stay here."""

    def __init__(self, step: Step, reason: str, newer: bool = False) -> None:
        super().__init__("This message cannot be opened.")
        self.step, self.reason, self.newer = step, reason, newer


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a header says it is from: not believed until `open` has verified the signature by pin or account."""

    user: str
    fingerprint: bytes
    account_version: int
    session_epoch: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that its sender signed for us; `digest` is H(F), to tell a repetition from a contradiction."""

    sender: Claim
    message: Message
    digest: bytes
    frame: bytes = field(repr=False)
    """F."""


@dataclass(slots=True)
class _Received:
    kind: int
    key_id: bytes
    context: MessageContext
    claim: Claim
    signing_key: Ed25519PublicKey
    statement: bytes
    signature: bytes
    proven_by: PublicIdentity | None = None


class Opener:
    """Opens what is sealed to one identity; keeps opened roots, in RAM only, as long as their key."""

    def __init__(self, me: Identity) -> None:
        self._me = me
        self._keys: dict[bytes, tuple[Kind, bytes]] = {}
        self._known: OrderedDict[bytes, _Received] = OrderedDict()

    def add_key(self, kind: Kind, key_id: bytes, private: bytes) -> None:
        """Open from now on what is sealed to this key (its 96-byte private half)."""
        self._keys[key_id] = (kind, private)

    def has_key(self, key_id: bytes) -> bool:
        """Whether something under this key would be opened."""
        return key_id in self._keys

    def drop_key(self, key_id: bytes) -> None:
        """The key was rotated out or its connection ended: nothing under it opens any more."""
        self._keys.pop(key_id, None)
        self._known = OrderedDict((at, each) for at, each in self._known.items() if each.key_id != key_id)

    def claim(self, header: bytes) -> Claim:
        """Steps a to f without the signature: who seems to have sealed this (header, or header ‖ m).

        Raises:
            OpeningFailed: as the one error; `newer` if a newer program wrote this: keep it, and say so.
        """
        return self._received(header).claim

    def open(
        self,
        header: bytes,
        message: bytes,
        sender: PublicIdentity,
        other_end: tuple[str, int] | None = None,
    ) -> Opened:
        """Steps a to g.

        Args:
            header: 2,610 bytes; of an envelope, `divide(envelope)` gives both parts.
            sender: the pin for `claim(header).user`; at first contact the account that the ring has.
            other_end: for a channel, user and session epoch at its other end; None for mail.
        Raises:
            OpeningFailed: as the one error.
        """
        received = self._known.get(header)
        if received is None:
            self._cut(header)
            if len(header) != HEADER_BYTES:
                raise OpeningFailed(Step.FORM, "its header has a wrong length")
        if not FRESH_BYTES + MIN_PADDED_BYTES + GCM_TAG_BYTES <= len(message) <= MAX_MESSAGE_BYTES:
            raise OpeningFailed(Step.FORM, "the message is too short or too long")
        received = self._received(header)
        self._prove(received, sender, other_end)
        context, fresh = received.context, message[:FRESH_BYTES]
        try:
            plain = unpad(gcm_open(context.key(fresh), ZERO_NONCE, message[FRESH_BYTES:], context.x))
            (encoded,) = split(plain[:-SIGNATURE_BYTES], 1)
            verify(received.signing_key, plain[-SIGNATURE_BYTES:], context.statement(fresh, encoded))
            opened = Message.parse(encoded)
        except Misbehaved as error:
            raise OpeningFailed(Step.MESSAGE, str(error)) from None
        return Opened(received.claim, opened, H(encoded), encoded)

    def _received(self, encoded: bytes) -> _Received:
        """The opened header, out of memory if it came before, byte for byte: then its form was judged, and its key is
        ours still, because what `drop_key` drops is forgotten here as well."""
        index = encoded[:HEADER_BYTES]
        received = self._known.get(index)
        if received is None:
            header = self._cut(encoded)
            found = self._keys.get(header.key_id)
            if found is None or found[0] != header.kind:
                raise OpeningFailed(Step.KEY, "it is sealed to a key that is not ours now")
            received = self._known[index] = self._unseal(header, found[0], found[1])
        self._known.move_to_end(index)
        while len(self._known) > KNOWN_HEADERS:
            self._known.popitem(last=False)
        return received

    def _cut(self, encoded: bytes) -> Header:
        if not encoded:
            raise OpeningFailed(Step.FORM, "it is empty")
        if encoded[0] != HEADER_VERSION:
            raise OpeningFailed(Step.FORM, "a newer program is needed to open it", newer=encoded[0] > HEADER_VERSION)
        if len(encoded) < HEADER_BYTES or encoded[1] not in (Kind.MAIL, Kind.CHANNEL):
            raise OpeningFailed(Step.FORM, "its header has a wrong length or kind")
        return Header.parse(encoded[:HEADER_BYTES])

    def _unseal(self, header: Header, kind: Kind, private: bytes) -> _Received:
        ring, public = self._me.ring, self._me.public
        c = context(public, kind, header.key_id)
        try:
            s1 = hpke_open(private, header.c1, kem_info(ring, c, header.c2))
        except Misbehaved:
            raise OpeningFailed(Step.HYBRID, "the hybrid part does not open") from None
        try:
            s2 = self._me.unseal(header.c2, H(c))
        except Misbehaved:
            raise OpeningFailed(Step.RSA, "the RSA part does not open") from None
        if len(s1) != SECRET_BYTES or len(s2) != SECRET_BYTES:
            raise OpeningFailed(Step.RSA, "a secret has a wrong length")
        x = transcript(ring, c, header.c1, header.c2)
        root = root_key(ring, s1, s2, x)
        try:
            plain = unpad(gcm_open(statement_key(ring, root, x), ZERO_NONCE, header.st, x), STATEMENT_BYTES)
            statement, signature = split(plain, 2)
            said = SenderStatement.parse(statement, ring)
        except Misbehaved as error:
            raise OpeningFailed(Step.SENDER, str(error)) from None
        mine = (public.user, public.fingerprint, int(kind), header.key_id, x)
        if (said.recipient, said.recipient_fingerprint, said.kind, said.key_id, said.x) != mine:
            raise OpeningFailed(Step.SENDER, "its sender sealed it for somebody else, another key or another time")
        claim = Claim(said.user, said.fingerprint, said.account_version, said.session_epoch)
        try:
            signing_key = ed25519_public(said.signing_key)
        except Misbehaved as error:
            raise OpeningFailed(Step.SENDER, str(error)) from None
        messages = MessageContext.of(ring, root, x)
        return _Received(header.kind, header.key_id, messages, claim, signing_key, statement, signature)

    def _prove(self, received: _Received, sender: PublicIdentity, other_end: tuple[str, int] | None) -> None:
        claim = received.claim
        if (claim.user, claim.fingerprint) != (sender.user, sender.fingerprint) or sender.ring != self._me.ring:
            raise OpeningFailed(Step.SENDER, "its sender has another fingerprint than we know")
        if (received.kind == Kind.CHANNEL) != (other_end is not None):
            raise OpeningFailed(Step.SENDER, "it came another way than it was sealed for")
        if other_end is not None and other_end != (claim.user, claim.session_epoch):
            raise OpeningFailed(Step.SENDER, "its sender is not at the other end of this channel")
        if received.proven_by == sender:
            return
        try:
            if len(received.signature) != RSA_BYTES:
                raise Misbehaved("A signature has a wrong length.")
            sender.verify(received.signature, received.statement)
        except Misbehaved as error:
            raise OpeningFailed(Step.SENDER, str(error)) from None
        received.proven_by = sender
