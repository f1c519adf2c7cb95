"""A node as others know it: certificate of the ring, and addresses signed by the node's own key.

Identity is the key; addresses change by a record with a higher sequence.  A record is parsed when it arrives and
verified once, when it is first needed.
"""

from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.certificates import Certificate, Role, verify_chain
from p2pchat.crypto.encoding import T, lv, number, split, text, u64
from p2pchat.crypto.primitives import ed25519_verify
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Address, Identifier, to_bytes

MAX_NODE_RECORD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """Certificate, admitter's certificate, and the signed addresses of one node."""

    certificate: Certificate
    issuer: Certificate
    sequence: int
    ring_address: Address
    clients_address: Address
    signature: bytes = field(repr=False)
    identifier: Identifier

    @classmethod
    def create(
        cls,
        key: Ed25519PrivateKey,
        certificate: Certificate,
        issuer: Certificate,
        sequence: int,
        ring_address: Address,
        clients_address: Address,
    ) -> Self:
        """Sign our own addresses; `sequence` is higher at each change (also over restarts: keep it on disk)."""
        identifier = certificate.identifier
        statement = _statement(certificate.ring, identifier, sequence, ring_address, clients_address)
        signature = key.sign(statement)
        return cls(certificate, issuer, sequence, ring_address, clients_address, signature, identifier)

    @classmethod
    def parse(cls, encoded: bytes) -> Self:
        """Read a record without believing it; Misbehaved for a wrong form."""
        if len(encoded) > MAX_NODE_RECORD_BYTES:
            raise Misbehaved(f"A node record has more than {MAX_NODE_RECORD_BYTES} bytes.")
        own, issuer, sequence, ring_address, clients_address, signature = split(encoded, 6)
        certificate = Certificate.parse(own)
        return cls(
            certificate,
            Certificate.parse(issuer),
            number(sequence),
            _address(ring_address),
            _address(clients_address),
            signature,
            certificate.identifier,
        )

    def encode(self) -> bytes:
        """LV(certificate) ‖ LV(admitter) ‖ LV(u64 sequence) ‖ LV(ring) ‖ LV(clients) ‖ LV(signature)."""
        return b"".join(
            lv(each)
            for each in (
                self.certificate.der,
                self.issuer.der,
                u64(self.sequence),
                str(self.ring_address).encode(),
                str(self.clients_address).encode(),
                self.signature,
            )
        )

    def verify(self, root: Certificate, now: float) -> None:
        """Demand a node's certificate of the ring of `root` (which the caller believes) and a true signature.

        Raises:
            Misbehaved: with what is wrong.
        """
        if self.certificate.role is not Role.NODE:
            raise Misbehaved(f"A certificate for the role {self.certificate.role} is used as a node's.")
        verify_chain(self.certificate, self.issuer, root, now)
        statement = _statement(root.ring, self.identifier, self.sequence, self.ring_address, self.clients_address)
        ed25519_verify(self.certificate.public_key, self.signature, statement)

    def supersedes(self, other: Self) -> bool:
        """Whether this record of the same node is newer than `other`."""
        return self.identifier == other.identifier and self.sequence > other.sequence


def _statement(
    ring: bytes, identifier: Identifier, sequence: int, ring_address: Address, clients_address: Address
) -> bytes:
    addresses = (str(ring_address).encode(), str(clients_address).encode())
    return T("node record", ring, to_bytes(identifier), u64(sequence), *addresses)


def _address(field_: bytes) -> Address:
    try:
        return Address.parse(text(field_))
    except ValueError:
        raise Misbehaved("A node record has an address that is none.") from None
