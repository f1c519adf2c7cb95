"""The signed list of certificates that a ring no longer accepts: cumulative, the higher number wins.

An admitter evicts nodes and operators; admitters are evicted by the root only.  A list that an admitter signs carries
the last list of the root inside, which proves the evicted admitters in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.certificates import SERIAL_BYTES, Certificate, Role, verify_admitter
from p2pchat.crypto.encoding import NO_PREVIOUS, H, T, lv, number, sized, split, text, u64, untagged
from p2pchat.crypto.primitives import ed25519_verify
from p2pchat.errors import Misbehaved

MAX_EVICTIONS = 1000
"""A list travels as one AMP value of at most 65,535 bytes."""

Evicted = tuple[Role, bytes]
"""(role, 20-byte serial)."""


@dataclass(frozen=True, slots=True)
class Evictions:
    """Number, entries and proof of one list; `Evictions.none()` before the first."""

    number: int
    entries: frozenset[Evicted]
    encoded: bytes = field(repr=False)
    by_root: bool = True
    root_list: bytes = field(default=b"", repr=False)

    @classmethod
    def none(cls) -> Self:
        """The list before anybody was evicted: number 0, no bytes."""
        return cls(0, frozenset(), b"")

    def evicts(self, certificate: Certificate) -> bool:
        """Whether this very certificate is on the list (ask for its issuer as well)."""
        return (certificate.role, certificate.serial) in self.entries

    def supersedes(self, other: Self) -> bool:
        """Whether to replace `other`, already verified as this list is; ties are broken the same way everywhere."""
        return (self.number, self.encoded) > (other.number, other.encoded)

    def extended(self, key: Ed25519PrivateKey, signer: Certificate, more: Iterable[Evicted]) -> Self:
        """Sign the next list with `more` on it.

        Raises:
            ValueError: an admitter would evict an admitter, the signer is evicted, or the list is full.
        """
        entries = self.entries | frozenset(more)
        by_root = signer.role is Role.ROOT
        if not by_root and any(role is Role.ADMITTER for role, _ in entries - self.entries):
            raise ValueError("only the ring's root can evict an admitter")
        if any(role is Role.ROOT for role, _ in entries):
            raise ValueError("a root cannot be evicted; make a new ring")
        if self.evicts(signer) or len(entries) > MAX_EVICTIONS:
            raise ValueError("this authority was evicted, or the list of evictions is full")
        previous = H(self.encoded) if self.encoded else NO_PREVIOUS
        statement = T("evictions", signer.ring, u64(self.number + 1), previous, _listed(entries))
        root_list = b"" if by_root else (self.encoded if self.by_root else self.root_list)
        parts = (statement, key.sign(statement), signer.der, root_list)
        return type(self)(self.number + 1, entries, b"".join(map(lv, parts)), by_root, root_list)

    @classmethod
    def parse(cls, encoded: bytes, root: Certificate, now: float) -> Self:
        """Read and verify a list of the ring of `root`; no bytes are the empty list.

        Raises:
            Misbehaved: with what is wrong.
        """
        if not encoded:
            return cls.none()
        statement, signature, der, root_list = split(encoded, 4)
        signer = Certificate.parse(der)
        by_root = signer.der == root.der
        if not by_root:
            verify_admitter(signer, root, now)
        ed25519_verify(signer.public_key, signature, statement)
        counted, previous, listed = untagged(statement, "evictions", root.ring, 3)
        sized(previous, 32, "The hash of the list before")
        entries = _unlisted(listed)
        if by_root:
            if root_list:
                raise Misbehaved("A list of the root carries another list.")
        else:
            proven = cls.parse(root_list, root, now)
            if not proven.by_root or {each for each in entries if each[0] is Role.ADMITTER} - proven.entries:
                raise Misbehaved("A list of evictions has an admitter that the root did not evict.")
            if proven.entries - entries or proven.evicts(signer):
                raise Misbehaved("A list of evictions leaves out what the root evicted, or its signer was evicted.")
        return cls(number(counted), entries, encoded, by_root, root_list)


def _listed(entries: frozenset[Evicted]) -> bytes:
    return b"".join(lv(role.encode()) + serial for role, serial in sorted(entries))


def _unlisted(listed: bytes) -> frozenset[Evicted]:
    found: list[Evicted] = []
    position = 0
    while position < len(listed):
        end = position + 4 + int.from_bytes(listed[position : position + 4], "big")
        try:
            role = Role(text(listed[position + 4 : end]))
        except ValueError:
            raise Misbehaved("A list of evictions names a role that there is not.") from None
        serial = sized(listed[end : end + SERIAL_BYTES], SERIAL_BYTES, "A serial")
        found.append((role, serial))
        position = end + SERIAL_BYTES
    entries = frozenset(found)
    if len(found) > MAX_EVICTIONS or _listed(entries) != listed:
        raise Misbehaved("A list of evictions is too long, not sorted, or names somebody twice.")
    return entries
