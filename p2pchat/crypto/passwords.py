"""From a password to the key of the vault and the key that proves the password, and the nodes' bcrypt verifier.

A node sees only the auth key, and keeps only its bcrypt.  Everything here is slow on purpose: call it in a thread.
"""

import base64
import hmac
import re
from dataclasses import dataclass, field
from typing import Self

import bcrypt
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from p2pchat.crypto.encoding import H, T
from p2pchat.crypto.primitives import kdf
from p2pchat.errors import Misbehaved

SALT_BYTES = 32
AUTH_BYTES = 32
BCRYPT_COST = 12
MAX_BCRYPT_COST = 14
_VERIFIER = re.compile(rb"\$2b\$([0-9]{2})\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one guess costs: memory in KiB, passes, lanes."""

    kib: int
    passes: int
    lanes: int

    def check(self, least: "Parameters | None" = None) -> None:
        """Refuse what a node could have weakened, or chosen to exhaust us.

        Args:
            least: the floor; None for the product's (`PARAMETERS`), less in tests only.
        Raises:
            Misbehaved: less than 64 MiB or 3 passes, lanes other than 4, more than 1 GiB or 10 passes.
        """
        least = PARAMETERS if least is None else least
        fits = least.kib <= self.kib <= MAX_KIB and least.passes <= self.passes <= MAX_PASSES
        if not fits or self.lanes != least.lanes:
            raise Misbehaved(
                f"The ring gave password parameters that are not allowed ({self.kib} KiB, {self.passes} passes, "
                f"{self.lanes} lanes). Log in at another node, and tell the operators."
            )


MAX_KIB = 1024 * 1024
MAX_PASSES = 10
PARAMETERS = Parameters(kib=64 * 1024, passes=3, lanes=4)
"""What new accounts take, and the least that an agent accepts."""


@dataclass(frozen=True, slots=True)
class Stretched:
    """K, the stretched password, and what is derived from it."""

    user: str
    ring: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def stretch(cls, password: bytes, user: str, ring: bytes, salt: bytes, parameters: Parameters) -> Self:
        """Argon2id over a prepared password (`names.prepared_password`).

        Whoever got salt and parameters from a node calls `parameters.check()` first.
        """
        cost = Argon2id(
            salt=H(T("salt", ring, user.encode(), salt)),
            length=32,
            iterations=parameters.passes,
            lanes=parameters.lanes,
            memory_cost=parameters.kib,
        )
        return cls(user, ring, cost.derive(password))

    def k(self, label: str) -> bytes:
        """k(x) = KDF(K, none, T(x, user), 32)."""
        return kdf(self.secret, None, T(label, self.ring, self.user.encode()), 32)

    @property
    def auth(self) -> bytes:
        """What proves the password to a node, 32 bytes."""
        return self.k("auth")


def make_verifier(auth: bytes, cost: int = BCRYPT_COST) -> bytes:
    """What nodes keep to recognize `auth`: bcrypt of its base64url text, 60 bytes."""
    return bcrypt.hashpw(_spelled(auth), bcrypt.gensalt(cost, b"2b"))


def check_verifier(verifier: bytes) -> None:
    """Misbehaved unless this is bcrypt of a cost that a node can afford."""
    found = _VERIFIER.fullmatch(verifier)
    if found is None or not 4 <= int(found[1]) <= MAX_BCRYPT_COST:
        raise Misbehaved(f"A verifier is no bcrypt with a cost of 4 to {MAX_BCRYPT_COST}.")


def verifier_cost(verifier: bytes) -> int:
    """The cost of a checked verifier: two to that power rounds."""
    return int(verifier[4:6])


def proves_password(auth: bytes, verifier: bytes) -> bool:
    """Whether `auth` is the auth key that `verifier` was made from; takes as long as bcrypt does."""
    check_verifier(verifier)
    return len(auth) == AUTH_BYTES and bcrypt.checkpw(_spelled(auth), verifier)


def same(one: bytes, other: bytes) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(one, other)


def _spelled(auth: bytes) -> bytes:
    return base64.urlsafe_b64encode(auth).rstrip(b"=")
