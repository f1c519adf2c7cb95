"""The account register: a public part that the identity signs, and a private part for members and owner.

value = LV(public ‖ PSS) ‖ LV(private).  A deleted account keeps its public part; its private part is its end
(closing.py).  An identity that is not the name's first one carries the proof: the last renewals and ends before it.
"""

from dataclasses import dataclass, field
from typing import Self

from p2pchat.crypto.closing import CLOCKS_MS, Closing, is_closing
from p2pchat.crypto.encoding import (
    DIGEST_BYTES,
    NO_PREVIOUS,
    H,
    T,
    lv,
    number,
    sized,
    split,
    u32,
    u64,
    untagged,
    user_name,
)
from p2pchat.crypto.identity import Identity, PublicIdentity
from p2pchat.crypto.passwords import SALT_BYTES, Parameters, check_verifier, proves_password, same
from p2pchat.crypto.primitives import HYBRID_PUBLIC_BYTES, RSA_BYTES
from p2pchat.crypto.succession import (
    Link,
    Succession,
    check_reopened,
    continued,
    encode_all,
    leads_from,
    parse_all,
)
from p2pchat.errors import Conflict, Misbehaved

MAX_ACCOUNT_BYTES = 24_000


@dataclass(frozen=True, slots=True)
class AccountPublic:
    """What everybody may see of an account: read, keys checked, signature verified."""

    identity: PublicIdentity
    version: int
    previous: bytes
    private_hash: bytes
    statement: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    successions: tuple[Link, ...] = ()

    @classmethod
    def create(
        cls,
        identity: Identity,
        version: int,
        previous: bytes,
        private: bytes,
        successions: tuple[Link, ...] = (),
    ) -> Self:
        """Sign a version; `previous` is `NO_PREVIOUS` or the digest of the version before."""
        public, private_hash = identity.public, H(private)
        renewals = (encode_all(successions),) if successions else ()
        statement = T(
            "account",
            public.ring,
            public.user.encode(),
            u64(version),
            previous,
            public.spki_sign,
            public.spki_seal,
            private_hash,
            *renewals,
        )
        return cls(public, version, previous, private_hash, statement, identity.sign(statement), successions)

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read public ‖ PSS and verify it by its own key; who it is, the caller compares.

        Raises:
            Misbehaved: wrong form, keys or signature.
        """
        statement, signature = encoded[:-RSA_BYTES], encoded[-RSA_BYTES:]
        user, version, previous, sign, seal, private_hash, *renewals = untagged(statement, "account", ring, 6, 7)
        identity = PublicIdentity(user_name(user), ring, sign, seal)
        identity.check()
        identity.verify(signature, statement)
        counted = number(version)
        if counted < 1 or (counted == 1) != (previous == NO_PREVIOUS):
            raise Misbehaved("An account's version does not fit the version before it.")
        sized(previous, DIGEST_BYTES, "The hash of the version before")
        sized(private_hash, DIGEST_BYTES, "A hash")
        successions = parse_all(renewals[0], identity) if renewals else ()
        if renewals and (not successions or successions[-1].version > counted):
            raise Misbehaved("An account names renewals that there are not yet.")
        return cls(identity, counted, previous, private_hash, statement, signature, successions)

    def encode(self) -> bytes:
        """public ‖ PSS(public)."""
        return self.statement + self.signature

    @property
    def user(self) -> str:
        """Canonical name."""
        return self.identity.user

    @property
    def fingerprint(self) -> bytes:
        """32 bytes."""
        return self.identity.fingerprint

    @property
    def digest(self) -> bytes:
        """`prev` of the next version."""
        return H(self.statement)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The private part of a living account: only for members, and for who proved the password or recovery key."""

    user: str
    salt: bytes
    parameters: Parameters
    verifier: bytes = field(repr=False)
    vault: bytes = field(repr=False)
    escrow_public: bytes = field(repr=False)
    recovery_public: bytes = field(repr=False)
    recovery_box: bytes = field(repr=False)
    recovery_auth_hash: bytes = field(repr=False)

    def encode(self, ring: bytes) -> bytes:
        """T("credentials", …)."""
        return T(
            "credentials",
            ring,
            self.user.encode(),
            self.salt,
            u32(self.parameters.kib),
            u32(self.parameters.passes),
            u32(self.parameters.lanes),
            self.verifier,
            self.vault,
            self.escrow_public,
            self.recovery_public,
            self.recovery_box,
            self.recovery_auth_hash,
        )

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read a private part; Misbehaved for a wrong form.  The agent checks `parameters` as well."""
        user, salt, kib, passes, lanes, *rest = untagged(encoded, "credentials", ring, 11)
        verifier, vault, escrow, recovery, box, auth_hash = rest
        check_verifier(verifier)
        return cls(
            user_name(user),
            sized(salt, SALT_BYTES, "A salt"),
            Parameters(number(kib, 4), number(passes, 4), number(lanes, 4)),
            verifier,
            vault,
            sized(escrow, HYBRID_PUBLIC_BYTES, "An escrow key"),
            sized(recovery, HYBRID_PUBLIC_BYTES, "A recovery key"),
            box,
            sized(auth_hash, DIGEST_BYTES, "A hash"),
        )

    def proven_by(self, auth: bytes) -> bool:
        """Whether `auth` proves the password; as slow as bcrypt, call it in a thread."""
        return proves_password(auth, self.verifier)

    def proven_by_recovery(self, recovery_auth: bytes) -> bool:
        """Whether `recovery_auth` proves the recovery key."""
        return same(H(recovery_auth), self.recovery_auth_hash)


@dataclass(frozen=True, slots=True)
class Account:
    """The value of an account register."""

    public: AccountPublic
    private: bytes = field(repr=False)

    @classmethod
    def create(cls, identity: Identity, private: bytes, after: "Account | None" = None) -> Self:
        """Sign version 1, or the version after `after`, which may be the end of somebody else's account."""
        if after is None:
            return cls(AccountPublic.create(identity, 1, NO_PREVIOUS, private), private)
        version, previous = after.public.version + 1, after.public.digest
        successions = after.public.successions
        if after.closing is not None:
            successions = continued(successions, after.closing)
        return cls(AccountPublic.create(identity, version, previous, private, successions), private)

    @classmethod
    def renewed(cls, before: Identity, identity: Identity, private: bytes, after: "Account") -> Self:
        """Sign the version after `after` with a new identity, which the one `before` names."""
        version, previous = after.public.version + 1, after.public.digest
        renewal = Succession.create(before, identity.public, version)
        successions = continued(after.public.successions, renewal)
        return cls(AccountPublic.create(identity, version, previous, private, successions), private)

    @classmethod
    def deleted(cls, identity: Identity, after: "Account", at: int) -> Self:
        """Sign the end of an account; `at` in milliseconds since 1970 (its name stays closed for 30 days)."""
        return cls.create(identity, Closing.create(identity, after.public.version + 1, at).encode(), after)

    @classmethod
    def parse(cls, encoded: bytes, ring: bytes) -> Self:
        """Read and verify a register value.

        Raises:
            Misbehaved: wrong form, keys or signature, or the private part is not the one that was signed.
        """
        if len(encoded) > MAX_ACCOUNT_BYTES:
            raise Misbehaved(f"An account has more than {MAX_ACCOUNT_BYTES} bytes.")
        public, private = split(encoded, 2)
        account = cls(AccountPublic.parse(public, ring), private)
        if H(private) != account.public.private_hash:
            raise Misbehaved("The private part of an account is not the one that its owner signed.")
        if (end := account.closing) is None:
            if account.credentials.user != account.public.user:
                raise Misbehaved("The private part of an account belongs to somebody else.")
        elif end.before != account.public.identity or end.version != account.public.version:
            raise Misbehaved("The end of an account is another one's.")
        return account

    def encode(self) -> bytes:
        """LV(public ‖ PSS) ‖ LV(private)."""
        return lv(self.public.encode()) + lv(self.private)

    @property
    def closing(self) -> Closing | None:
        """How the account ended; None while it lives."""
        ring = self.public.identity.ring
        return Closing.parse(self.private, ring) if is_closing(self.private, ring) else None

    @property
    def credentials(self) -> Credentials:
        """The private part, read; Misbehaved if the account was deleted."""
        return Credentials.parse(self.private, self.public.identity.ring)


def user_of(value: bytes, ring: bytes) -> str:
    """Whose account it says it is, unverified."""
    return user_name(untagged(split(value, 2)[0][:-RSA_BYTES], "account", ring, 6, 7)[0])


def validate_successor(old: bytes | None, new: bytes, ring: bytes) -> None:
    """Whether a member may accept `new` after `old` (both register values).

    One version ahead must name the version before; further ahead (this member missed some) must be signed by the same
    identity, or by one that it named as its successor.  After a deleted account nothing follows but an account of
    somebody else that carries its end; whether it is time for that, each member judges by its clock (`check_times`).

    Raises:
        Misbehaved: `new` proves nothing, or is another identity's.
        Conflict: it is older than `old`, or was made from another version.
    """
    if new == old:
        return
    account = Account.parse(new, ring)
    if old is None:
        return
    before = Account.parse(old, ring)
    if account.public.user != before.public.user:
        raise Misbehaved("An account register is given another user's account.")
    if before.closing is not None and before.closing not in account.public.successions:
        raise Misbehaved("An account register is given another account after its end.")
    if account.public.fingerprint != before.public.fingerprint and not leads_from(
        account.public.successions, before.public.fingerprint
    ):
        raise Misbehaved("An account register is given another identity.")
    step = account.public.version - before.public.version
    if step < 1 or (step == 1 and account.public.previous != before.public.digest):
        raise Conflict("The account was changed meanwhile; read it again.")


def check_times(old: bytes | None, new: bytes, ring: bytes, now_ms: int | None) -> None:
    """Whether it is time for what a proposed account begins or ends, by the clock of a member that holds `old`.

    Args:
        now_ms: milliseconds since 1970; None where this member's clock is not to be relied on.

    Raises:
        Misbehaved: the name is still closed, or the account is deleted in days to come.
    """
    before = None if old is None else Account.parse(old, ring)
    account = Account.parse(new, ring)
    if account.closing is not None and now_ms is not None and account.closing.at > now_ms + CLOCKS_MS:
        raise Misbehaved("An account is deleted at a time that has not come.")
    check_reopened(() if before is None else before.public.successions, account.public.successions, now_ms)
    end = None if before is None or before.encode() == new else before.closing
    if end is not None and end not in account.public.successions:
        raise Misbehaved("A name that was given up is taken without regard to its end.")


def is_deleted(value: bytes | None, ring: bytes) -> bool:
    """Whether an accepted register value, verified when it was accepted, is the end of an account."""
    return value is not None and is_closing(split(value, 2)[1], ring)
