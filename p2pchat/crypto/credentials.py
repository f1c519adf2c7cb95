"""What an agent does with a password: make an account, open it, change its password, recover it.

Every function takes as long as Argon2id and bcrypt do (near a second): call it in a thread.
"""

import os
from dataclasses import dataclass, field

from p2pchat.crypto.account import Account, AccountPublic, Credentials
from p2pchat.crypto.encoding import H
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.passwords import (
    BCRYPT_COST,
    PARAMETERS,
    SALT_BYTES,
    Parameters,
    Stretched,
    make_verifier,
    verifier_cost,
)
from p2pchat.crypto.primitives import Chance, hybrid_generate, hybrid_public
from p2pchat.crypto.vault import RecoveryKey, Secrets, open_recovery, open_vault, seal_recovery, seal_vault
from p2pchat.errors import Misbehaved


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A signed version of an account, and what only the agent knows of it."""

    account: Account
    secrets: Secrets
    stretched: Stretched


@dataclass(frozen=True, slots=True)
class Costs:
    """What hashing costs: `COSTS` in the product, little in tests."""

    parameters: Parameters = PARAMETERS
    bcrypt: int = BCRYPT_COST

    def reach(self, wanted: "Costs") -> bool:
        """Whether a guess costs at least as much as at `wanted`."""
        mine, other = self.parameters, wanted.parameters
        return mine.kib >= other.kib and mine.passes >= other.passes and self.bcrypt >= wanted.bcrypt


COSTS = Costs()


def costs_of(credentials: Credentials) -> Costs:
    """At what cost the password of an account was hashed."""
    return Costs(credentials.parameters, verifier_cost(credentials.verifier))


def register(
    identity: Identity,
    password: bytes,
    recovery: RecoveryKey,
    costs: Costs = COSTS,
    chance: Chance = os.urandom,
    after: Account | None = None,
) -> Enrolled:
    """Version 1 of an account.

    Args:
        password: prepared (`names.prepared_password`).
        recovery: new; shown to the person once.
        after: the end of the account that had the name before; then it is the version that follows.
    """
    return _enrol(identity, password, _Recovery.of(recovery, identity), after, costs, chance)


def change_password(
    identity: Identity, password: bytes, after: Account, costs: Costs = COSTS, chance: Chance = os.urandom
) -> Enrolled:
    """The next version under a new password: new salt, new escrow pair; the recovery key stays as it is.

    A new mail key has to follow at once, because the old ones are in escrow for the old pair.
    """
    credentials = after.credentials
    kept = _Recovery(credentials.recovery_public, credentials.recovery_auth_hash)
    return _enrol(identity, password, kept, after, costs, chance)


def renew_identity(
    before: Identity,
    identity: Identity,
    password: bytes,
    recovery: RecoveryKey,
    after: Account,
    costs: Costs = COSTS,
    chance: Chance = os.urandom,
) -> Enrolled:
    """The next version under a new identity, named by the one `before`: new salt, escrow pair and recovery key.

    The new identity's session and mail key have to follow at once.
    """
    kept = _Recovery.of(recovery, identity)
    return _enrol(identity, password, kept, after, costs, chance, before)


def log_in(account: Account, stretched: Stretched) -> Secrets:
    """Open the account that a node gave us for our auth key, and compare everything that it claims.

    Raises:
        WrongCredentials: the password is wrong.
        Misbehaved: the account is not what its owner made (its version is compared by the caller).
    """
    secrets = open_vault(account.credentials.vault, stretched, account.public.version)
    return _compared(secrets, account.public, account.credentials)


def recover(account: Account, recovery: RecoveryKey) -> Secrets:
    """Open the account by the recovery key; then `change_password`, proven by `recovery.auth`."""
    user, ring = account.public.user, account.public.identity.ring
    secrets = open_recovery(account.credentials.recovery_box, recovery, user, ring, account.public.version)
    return _compared(secrets, account.public, account.credentials)


@dataclass(frozen=True, slots=True)
class _Recovery:
    """The account's side of a recovery key."""

    public: bytes = field(repr=False)
    auth_hash: bytes = field(repr=False)

    @classmethod
    def of(cls, key: RecoveryKey, identity: Identity) -> "_Recovery":
        who = (identity.user, identity.ring)
        return cls(key.public(*who), H(key.auth(*who)))


def _enrol(
    identity: Identity,
    password: bytes,
    recovery: _Recovery,
    after: Account | None,
    costs: Costs,
    chance: Chance,
    before: Identity | None = None,
) -> Enrolled:
    salt, escrow = chance(SALT_BYTES), hybrid_generate(chance)
    stretched = Stretched.stretch(password, identity.user, identity.ring, salt, costs.parameters)
    secrets = Secrets(1 if after is None else after.public.version + 1, identity, escrow)
    credentials = Credentials(
        identity.user,
        salt,
        costs.parameters,
        make_verifier(stretched.auth, costs.bcrypt),
        seal_vault(secrets, stretched, chance),
        hybrid_public(escrow),
        recovery.public,
        seal_recovery(secrets, recovery.public),
        recovery.auth_hash,
    )
    private = credentials.encode(identity.ring)
    if before is not None and after is not None:
        account = Account.renewed(before, identity, private, after)
    else:
        account = Account.create(identity, private, after)
    return Enrolled(account, secrets, stretched)


def _compared(secrets: Secrets, public: AccountPublic, credentials: Credentials) -> Secrets:
    if secrets.identity.public != public.identity:
        raise Misbehaved("The vault holds another identity than the account; tell the operators.")
    if hybrid_public(secrets.escrow_private) != credentials.escrow_public:
        raise Misbehaved("The vault holds another escrow key than the account; tell the operators.")
    return secrets
