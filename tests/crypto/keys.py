"""Fixed keys for tests: making RSA-3072 takes seconds, so they were made once (tests/vectors/keys.json)."""

import hashlib
import json
from base64 import b64decode
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.credentials import Costs
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.passwords import Parameters

VECTORS = Path(__file__).parent.parent / "vectors"
RING = bytes(range(32))
CHEAP = Costs(Parameters(kib=64, passes=1, lanes=4), bcrypt=4)
"""What hashing costs in tests."""


@lru_cache
def identity(user: str, ring: bytes = RING) -> Identity:
    """The fixed identity of alice, bob, carol or mallory (the same keys under every ring)."""
    stored = json.loads((VECTORS / "keys.json").read_text())[user]
    return Identity.load(user, ring, b64decode(stored["sign"]), b64decode(stored["seal"]))


@lru_cache
def alias(keys_of: str, user: str = "bob") -> Identity:
    """Somebody else who calls himself `user`: that name with another person's keys."""
    keys = identity(keys_of)
    return Identity.load(user, RING, keys.pkcs8_sign, keys.pkcs8_seal)


def heir() -> Identity:
    """bob's name with carol's keys."""
    return alias("carol")


def session_key(number: int) -> Ed25519PrivateKey:
    """A fixed Ed25519 key."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


class Drawn:
    """Chance that repeats itself from run to run: a counter, hashed."""

    def __init__(self, seed: int = 0) -> None:
        self._seed, self._count = seed, 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"{self._seed}/{self._count}".encode()).digest(size)
