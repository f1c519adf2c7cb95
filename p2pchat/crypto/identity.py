"""A person's two RSA-3072 pairs, their public side, and the fingerprint that people compare.

One pair signs (PSS) everything that the person publishes, the other takes part in every sealing (OAEP).
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from cryptography.hazmat.primitives.asymmetric import rsa

from p2pchat.crypto.encoding import H, T
from p2pchat.crypto.primitives import generate_rsa, oaep_open, pss_sign, pss_verify, rsa_private, rsa_public, spki

GROUPS = 12
KNOWN_FINGERPRINTS = 1024


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """Who somebody is to others: the two public keys under a name in a ring."""

    user: str
    ring: bytes
    spki_sign: bytes = field(repr=False)
    spki_seal: bytes = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """32 bytes; what others pin."""
        return _fingerprint(self.user, self.ring, self.spki_sign, self.spki_seal)

    @property
    def digits(self) -> list[str]:
        """Twelve groups of five digits, to read to each other."""
        return digits(self.ring, self.user, self.fingerprint)

    def check(self) -> None:
        """Misbehaved unless both keys are RSA-3072 with e = 65537 in plain DER."""
        rsa_public(self.spki_sign)
        rsa_public(self.spki_seal)

    def verify(self, signature: bytes, statement: bytes) -> None:
        """Misbehaved unless `signature` is this person's PSS over `statement`."""
        pss_verify(self.spki_sign, signature, statement)


@lru_cache(maxsize=KNOWN_FINGERPRINTS)
def _fingerprint(user: str, ring: bytes, spki_sign: bytes, spki_seal: bytes) -> bytes:
    return H(T("identity", ring, user.encode(), spki_sign, spki_seal))


def digits(ring: bytes, user: str, fingerprint: bytes) -> list[str]:
    """The fingerprint of `user` as people compare it: 12 groups of five digits."""
    drawn = hashlib.sha512(T("fingerprint", ring, user.encode(), fingerprint)).digest()
    groups = (int.from_bytes(drawn[5 * each : 5 * each + 5], "big") % 100_000 for each in range(GROUPS))
    return [f"{group:05}" for group in groups]


@dataclass(frozen=True, slots=True)
class Identity:
    """Both private keys of the person whom this agent serves."""

    public: PublicIdentity
    pkcs8_sign: bytes = field(repr=False)
    pkcs8_seal: bytes = field(repr=False)
    _sign: rsa.RSAPrivateKey = field(repr=False, compare=False)
    _seal: rsa.RSAPrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, user: str, ring: bytes) -> Self:
        """Two new pairs.  Takes seconds of CPU: call it in a thread."""
        return cls.load(user, ring, generate_rsa(), generate_rsa())

    @classmethod
    def load(cls, user: str, ring: bytes, pkcs8_sign: bytes, pkcs8_seal: bytes) -> Self:
        """From the two private keys (PKCS8 DER), as they stand in the vault and in the agent's home."""
        sign, seal = rsa_private(pkcs8_sign), rsa_private(pkcs8_seal)
        public = PublicIdentity(user, ring, spki(sign.public_key()), spki(seal.public_key()))
        return cls(public, pkcs8_sign, pkcs8_seal, sign, seal)

    @property
    def user(self) -> str:
        """Canonical name."""
        return self.public.user

    @property
    def ring(self) -> bytes:
        """The 32-byte ring id."""
        return self.public.ring

    @property
    def fingerprint(self) -> bytes:
        """32 bytes."""
        return self.public.fingerprint

    def sign(self, statement: bytes) -> bytes:
        """RSA-PSS over a T(…), 384 bytes; some milliseconds."""
        return pss_sign(self._sign, statement)

    def unseal(self, sealed: bytes, label: bytes) -> bytes:
        """Open an OAEP part; CannotOpen if it does not."""
        return oaep_open(self._seal, sealed, label)
