"""The vault: an account's secrets sealed under the password, and once more under the recovery key.

Whoever has name and password (or the printed recovery key) gets identity and escrow key back on any device.
"""

import base64
import os
from dataclasses import dataclass, field
from typing import Self

from p2pchat.crypto.encoding import H, T, number, sized, u64, untagged
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.passwords import Stretched, same
from p2pchat.crypto.primitives import (
    GCM_NONCE_BYTES,
    HYBRID_PRIVATE_BYTES,
    Chance,
    gcm_open,
    gcm_seal,
    hpke_open,
    hpke_seal,
    hybrid_public,
    kdf,
)
from p2pchat.errors import CannotOpen, Misbehaved, WrongCredentials

RECOVERY_BYTES = 32
CHECKSUM_BYTES = 3
GROUP_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class Secrets:
    """V: what the vault holds."""

    version: int
    identity: Identity
    escrow_private: bytes = field(repr=False)

    def encode(self) -> bytes:
        """T("vault", user, u64 version, PKCS8_sign, PKCS8_seal, escrow_priv)."""
        who = self.identity
        fields = (who.user.encode(), u64(self.version), who.pkcs8_sign, who.pkcs8_seal, self.escrow_private)
        return T("vault", who.ring, *fields)

    @classmethod
    def parse(cls, encoded: bytes, user: str, ring: bytes, version: int) -> Self:
        """Read V, demanding user and version as the account says."""
        named, counted, sign, seal, escrow = untagged(encoded, "vault", ring, 5)
        if named != user.encode() or number(counted) != version:
            raise Misbehaved("A vault belongs to another account or to another version of it.")
        sized(escrow, HYBRID_PRIVATE_BYTES, "An escrow key")
        return cls(version, Identity.load(user, ring, sign, seal), escrow)


def seal_vault(secrets: Secrets, stretched: Stretched, chance: Chance = os.urandom) -> bytes:
    """The box that only the password opens: check ‖ nonce ‖ AES-256-GCM."""
    nonce = chance(GCM_NONCE_BYTES)
    aad = _aad(stretched, secrets.version)
    return stretched.k("vault check") + nonce + gcm_seal(stretched.k("vault key"), nonce, secrets.encode(), aad)


def open_vault(box: bytes, stretched: Stretched, version: int) -> Secrets:
    """Undo `seal_vault`.  The caller compares the identity with the account's.

    Raises:
        WrongCredentials: the password is wrong.
        CannotOpen, Misbehaved: the password is right and the box was altered.
    """
    check, nonce, sealed = box[:32], box[32 : 32 + GCM_NONCE_BYTES], box[32 + GCM_NONCE_BYTES :]
    if not same(check, stretched.k("vault check")):
        raise WrongCredentials("The password is wrong.")
    plain = gcm_open(stretched.k("vault key"), nonce, sealed, _aad(stretched, version))
    return Secrets.parse(plain, stretched.user, stretched.ring, version)


def _aad(stretched: Stretched, version: int) -> bytes:
    return T("vault box", stretched.ring, stretched.user.encode(), u64(version))


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """R: printed once at registration, opens the account when the password is lost."""

    secret: bytes = field(repr=False)

    @classmethod
    def generate(cls, chance: Chance = os.urandom) -> Self:
        """A new one."""
        return cls(chance(RECOVERY_BYTES))

    def printed(self) -> str:
        """For paper: 56 base32 characters in groups of four, the last characters a checksum."""
        spelled = base64.b32encode(self.secret + self._checksum()).decode("ascii").rstrip("=")
        groups = (spelled[each : each + GROUP_CHARACTERS] for each in range(0, len(spelled), GROUP_CHARACTERS))
        return "-".join(groups)

    @classmethod
    def parse(cls, typed: str) -> Self:
        """Read what was printed; upper and lower case, blanks and dashes do not matter, nor 0, 1 and 8 for O, I, B.

        Raises:
            WrongCredentials: it was mistyped.
        """
        letters = "".join(typed.split()).replace("-", "").upper().translate(str.maketrans("018", "OIB"))
        try:
            decoded = base64.b32decode(letters)
        except ValueError:
            decoded = b""
        key = cls(decoded[:RECOVERY_BYTES])
        if decoded != key.secret + key._checksum() or len(key.secret) != RECOVERY_BYTES:
            raise WrongCredentials("This is not a recovery key; compare it with the printed one, group by group.")
        return key

    def private(self, user: str, ring: bytes) -> bytes:
        """The hybrid private key of the recovery pair."""
        return kdf(self.secret, None, T("recovery key", ring, user.encode()), HYBRID_PRIVATE_BYTES)

    def public(self, user: str, ring: bytes) -> bytes:
        """The recovery pair's public half, as it stands in the account."""
        return hybrid_public(self.private(user, ring))

    def auth(self, user: str, ring: bytes) -> bytes:
        """What proves the recovery key to a node, 32 bytes."""
        return kdf(self.secret, None, T("recovery auth", ring, user.encode()), 32)

    def _checksum(self) -> bytes:
        return H(b"p2pchat recovery key" + self.secret)[:CHECKSUM_BYTES]


def seal_recovery(secrets: Secrets, recovery_public: bytes) -> bytes:
    """The box that only the recovery key opens."""
    who = secrets.identity
    return hpke_seal(recovery_public, secrets.encode(), _recovery_label(who.user, who.ring, secrets.version))


def open_recovery(box: bytes, key: RecoveryKey, user: str, ring: bytes, version: int) -> Secrets:
    """Undo `seal_recovery`; WrongCredentials if this is another account's recovery key."""
    try:
        plain = hpke_open(key.private(user, ring), box, _recovery_label(user, ring, version))
    except CannotOpen:
        raise WrongCredentials(f"This recovery key does not open the account of {user}.") from None
    return Secrets.parse(plain, user, ring, version)


def _recovery_label(user: str, ring: bytes, version: int) -> bytes:
    return H(T("recovery box", ring, user.encode(), u64(version)))
