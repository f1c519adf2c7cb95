"""The mail key: what senders seal mail to, published by its owner and kept in escrow for the next login.

record = LV(body) ‖ LV(PSS) ‖ LV(SPKI_sign) ‖ LV(SPKI_seal) ‖ LV(escrow); senders get it with an empty escrow.
Register value = LV(current record) ‖ LV(draining record, or nothing) [‖ LV(renewals of the identity)].
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from p2pchat.crypto.encoding import (
    DIGEST_BYTES,
    KEY_ID_BYTES,
    H,
    T,
    lv,
    number,
    sized,
    split,
    split_between,
    u64,
    untagged,
    user_name,
)
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.primitives import (
    HPKE_OVERHEAD_BYTES,
    HYBRID_PRIVATE_BYTES,
    HYBRID_PUBLIC_BYTES,
    RSA_BYTES,
    hpke_open,
    hpke_seal,
    hybrid_public,
)
from p2pchat.crypto.succession import Link, check_reopened, encode_all, leads_from, parse_all
from p2pchat.errors import Conflict, Misbehaved

MAX_MAIL_KEY_BYTES = 16_000
ESCROW_BYTES = HYBRID_PRIVATE_BYTES + HPKE_OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class MailKeyRecord:
    """One mail key: read, and verified by the keys that it carries."""

    identity: PublicIdentity
    epoch: int
    number: int
    public_key: bytes = field(repr=False)
    escrow_hash: bytes = field(repr=False)
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    escrow: bytes = field(repr=False)

    @classmethod
    def create(cls, identity: Identity, epoch: int, number_: int, private: bytes, escrow_public: bytes) -> Self:
        """Sign and put into escrow the key whose 96-byte private half is `private` (on disk before this goes out).

        Args:
            epoch: the session's.
            number_: one more than the key before; 1 at first.
            escrow_public: the account's (`Credentials.escrow_public`).
        """
        public, who = hybrid_public(private), identity.public
        escrow = hpke_seal(escrow_public, private, _escrow_label(who, number_, public))
        fields = (who.user.encode(), who.fingerprint, u64(epoch), u64(number_), public, H(escrow))
        body = T("mail key", who.ring, *fields)
        return cls(who, epoch, number_, public, H(escrow), body, identity.sign(body), escrow)

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read a record (with or without its escrow) and verify it; whose it is, the caller compares with its pin.

        Raises:
            Misbehaved: wrong form or signature.
        """
        body, signature, sign, seal, escrow = split(encoded, 5)
        user, fingerprint, epoch, counted, public, escrow_hash = untagged(body, "mail key", ring, 6)
        identity = PublicIdentity(user_name(user), ring, sign, seal)
        identity.check()
        if fingerprint != identity.fingerprint:
            raise Misbehaved("A mail key carries other keys than its fingerprint says.")
        identity.verify(sized(signature, RSA_BYTES, "A signature"), body)
        sized(public, HYBRID_PUBLIC_BYTES, "A mail key")
        sized(escrow_hash, DIGEST_BYTES, "A hash")
        if escrow and (len(escrow) != ESCROW_BYTES or H(escrow) != escrow_hash):
            raise Misbehaved("A mail key has another escrow than its owner signed.")
        return cls(identity, number(epoch), number(counted), public, escrow_hash, body, signature, escrow)

    def encode(self) -> bytes:
        """As it stands in the register, or goes to senders."""
        keys = (self.identity.spki_sign, self.identity.spki_seal)
        return b"".join(lv(each) for each in (self.body, self.signature, *keys, self.escrow))

    def without_escrow(self) -> Self:
        """What senders get."""
        return replace(self, escrow=b"")

    @property
    def key_id(self) -> bytes:
        """H(body)[0:16]: names the key in headers and adds."""
        return H(self.body)[:KEY_ID_BYTES]

    def private(self, escrow_private: bytes) -> bytes:
        """The 96-byte private half, from escrow; CannotOpen if it was put there for another escrow key."""
        opened = hpke_open(escrow_private, self.escrow, _escrow_label(self.identity, self.number, self.public_key))
        if hybrid_public(opened) != self.public_key:
            raise Misbehaved("A mail key's escrow holds another key.")
        return opened


@dataclass(frozen=True, slots=True)
class MailKeys:
    """The value of a mail key register."""

    current: MailKeyRecord
    draining: MailKeyRecord | None = None
    successions: tuple[Link, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read and verify a register value.

        Raises:
            Misbehaved: wrong form or signature, or the two keys do not belong together.
        """
        if len(encoded) > MAX_MAIL_KEY_BYTES:
            raise Misbehaved(f"A mail key register has more than {MAX_MAIL_KEY_BYTES} bytes.")
        first, second, *renewals = split_between(encoded, 2, 3)
        current, draining = MailKeyRecord.parse(first, ring), MailKeyRecord.parse(second, ring) if second else None
        keys = cls(current, draining, parse_all(renewals[0], current.identity) if renewals else ())
        old = keys.draining
        if old is not None and (
            not _same_person(old, keys) or old.number != keys.current.number - 1 or old.epoch > keys.current.epoch
        ):
            raise Misbehaved("A mail key register holds two keys that do not follow each other.")
        if not keys.current.escrow or (old is not None and not old.escrow):
            raise Misbehaved("A mail key register lacks an escrow.")
        return keys

    def encode(self) -> bytes:
        """LV(current record) ‖ LV(draining record, or nothing) [‖ LV(renewals)]."""
        renewals = lv(encode_all(self.successions)) if self.successions else b""
        return lv(self.current.encode()) + lv(b"" if self.draining is None else self.draining.encode()) + renewals

    def rotated(self, new: MailKeyRecord) -> Self:
        """Step 2 of the rotation; Conflict while an older key still drains (finish that first)."""
        if self.draining is not None:
            raise Conflict("The mail under the key before is not fetched yet; finish that first.")
        return replace(self, current=new, draining=self.current)

    def drained(self) -> Self:
        """Step 5 of the rotation: the older key and its escrow are gone."""
        return replace(self, draining=None)


def key_id_of(value: bytes | None) -> bytes:
    """The current key's id in an accepted register value, verified when it was accepted; b"" for none."""
    return b"" if value is None else H(split(split_between(value, 2, 3)[0], 5)[0])[:KEY_ID_BYTES]


def fence_of(value: bytes | None, ring: bytes) -> int:
    """The current key's number in an accepted register value; 0 for none."""
    if value is None:
        return 0
    body = split(split_between(value, 2, 3)[0], 5)[0]
    return number(untagged(body, "mail key", ring, 6)[3])


def user_of(value: bytes, ring: bytes) -> str:
    """Whose keys they say they are, unverified."""
    body = split(split_between(value, 2, 3)[0], 5)[0]
    return user_name(untagged(body, "mail key", ring, 6)[0])


def belongs(value: bytes, ring: bytes, fingerprint: bytes, links: Sequence[Link]) -> bool:
    """As session.belongs, of a register value."""
    keys = MailKeys.parse(value, ring)
    current = keys.current
    before = current.identity.fingerprint == fingerprint or leads_from(links, current.identity.fingerprint)
    return before or leads_from(keys.successions, fingerprint)


def validate_successor(old: bytes | None, new: bytes, ring: bytes) -> None:
    """Whether a member may accept `new` after `old` (both register values).

    The same current key may only lose its draining one; the next key must drain the one before, or have drained it;
    further ahead (this member missed some) the same identity must have signed.

    Raises:
        Misbehaved: `new` proves nothing, or is another identity's.
        Conflict: it is older than `old`, or was made from another key.
    """
    if new == old:
        return
    keys = MailKeys.parse(new, ring)
    if old is None:
        return
    before = MailKeys.parse(old, ring)
    if keys.current.identity.user != before.current.identity.user or not _same_person(before.current, keys):
        raise Misbehaved("A mail key register is given another identity's key.")
    later = keys.current.epoch >= before.current.epoch
    step = keys.current.number - before.current.number
    if step == 0:
        kept = keys.current == before.current and keys.draining is None and before.draining is not None
    elif step == 1:
        kept = later and keys.draining in (None, before.current)
    else:
        kept = later and step > 1
    if not kept:
        raise Conflict("The mail key was changed meanwhile; read it again.")


def check_times(old: bytes | None, new: bytes, ring: bytes, now_ms: int | None) -> None:
    """Misbehaved while the name that a proposed key takes is closed; see account.check_times."""
    known = () if old is None else MailKeys.parse(old, ring).successions
    check_reopened(known, MailKeys.parse(new, ring).successions, now_ms)


def _same_person(before: MailKeyRecord, keys: MailKeys) -> bool:
    """The same identity, or one that it named as its successor or, having deleted its account, gave way to."""
    fingerprint = before.identity.fingerprint
    return keys.current.identity.fingerprint == fingerprint or leads_from(keys.successions, fingerprint)


def _escrow_label(who: PublicIdentity, number_: int, public: bytes) -> bytes:
    return H(T("escrow", who.ring, who.user.encode(), who.fingerprint, u64(number_), public))
