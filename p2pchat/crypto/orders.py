"""What a ring's authority orders when majorities are lost: stop, and go on in a new generation as planned."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.certificates import Certificate, verify_admitter
from p2pchat.crypto.encoding import T, lv, number, split, u64, untagged
from p2pchat.crypto.primitives import ed25519_verify
from p2pchat.errors import Misbehaved

SEAL = "seal"
"""Nodes stop serving every generation before the one that is named; the body lists the nodes given up."""
PLAN = "plan"
"""The body is the plan of the generation that is named."""


@dataclass(frozen=True, slots=True)
class Order:
    """One signed order: `body` is opaque here."""

    label: str
    generation: int
    body: bytes = field(repr=False)
    encoded: bytes = field(repr=False)

    @classmethod
    def sign(cls, key: Ed25519PrivateKey, signer: Certificate, label: str, generation: int, body: bytes) -> Self:
        """Order in the name of the ring's root, or of one of its admitters."""
        statement = T(label, signer.ring, u64(generation), body)
        return cls(label, generation, body, b"".join(map(lv, (statement, key.sign(statement), signer.der))))

    @classmethod
    def parse(
        cls, label: str, encoded: bytes, root: Certificate, now: float, evicted: Callable[[Certificate], bool]
    ) -> Self:
        """Read and verify an order of the ring of `root`.

        Raises:
            Misbehaved: with what is wrong.
        """
        statement, signature, der = split(encoded, 3)
        signer = Certificate.parse(der)
        if signer.der != root.der:
            verify_admitter(signer, root, now)
        if evicted(signer):
            raise Misbehaved("An order was signed by an admitter that is evicted.")
        ed25519_verify(signer.public_key, signature, statement)
        counted, body = untagged(statement, label, root.ring, 2)
        return cls(label, number(counted), body, encoded)
