"""Certificates and records of simulated nodes: true ones of one ring, and all from one seed."""

from collections.abc import Iterable
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.admission import Admission, FounderMark, RingDescription
from p2pchat.crypto.certificates import Certificate, Role, draw_serial, issue, ring_id
from p2pchat.crypto.evictions import Evicted, Evictions
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.crypto.orders import Order
from p2pchat.crypto.primitives import spki
from p2pchat.identifiers import Address

MADE_AT = 1_700_000_000.0
"""Seconds since 1970 when all certificates were made."""
RING_PORT, CLIENTS_PORT = 7401, 7402


class Papers:
    """Nodes 1, 2, … of a ring, admitted when they are first asked for."""

    def __init__(self, seed: object) -> None:
        self._chance = Random(f"papers {seed}")
        root_key = self._root_key = self._key()
        self._admitter_key = self._key()
        ring = ring_id(spki(root_key.public_key()))
        self.root = issue(root_key, None, root_key.public_key(), Role.ROOT, ring, self._serial(), MADE_AT)
        subject = self._admitter_key.public_key()
        self.admitter = issue(root_key, self.root, subject, Role.ADMITTER, ring, self._serial(), MADE_AT)
        self._true: dict[bytes, NodeRecord] = {}  # verified once for all nodes
        self._admitted: list[tuple[Ed25519PrivateKey, Certificate]] = []

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._chance.randbytes(32))

    def _serial(self) -> bytes:
        return draw_serial(self._chance.randbytes)

    def record(self, number: int, sequence: int = 1, place: int | None = None) -> NodeRecord:
        """The record of node `number` at the address of `place` (its own number by default)."""
        key, certificate = self._admit(number)
        ring_address = address(number if place is None else place)
        clients = Address(ring_address.host, CLIENTS_PORT)
        return NodeRecord.create(key, certificate, self.admitter, sequence, ring_address, clients)

    def admission(self, number: int, replicas: int, slots: int) -> Admission:
        """What node `number` holds of a ring that node 1 founds."""
        key, certificate = self._admit(number)
        founder = FounderMark.create(self._admitter_key, self.admitter, self._admit(1)[1].identifier)
        description = RingDescription.create(self._root_key, self.root.ring, "simulated", replicas, slots)
        return Admission(key, certificate, self.admitter, self.root, description, founder)

    def _admit(self, number: int) -> tuple[Ed25519PrivateKey, Certificate]:
        while len(self._admitted) < number:
            key = self._key()
            subject, ring = key.public_key(), self.root.ring
            certificate = issue(self._admitter_key, self.admitter, subject, Role.NODE, ring, self._serial(), MADE_AT)
            self._admitted.append((key, certificate))
        return self._admitted[number - 1]

    def certificate(self, number: int) -> Certificate:
        """Of node `number`."""
        return self._admit(number)[1]

    def evicted(self, known: Evictions, more: Iterable[Evicted]) -> Evictions:
        """The next list of evictions, signed by the admitter."""
        return known.extended(self._admitter_key, self.admitter, more)

    def order(self, label: str, generation: int, body: bytes) -> Order:
        """An order of the admitter."""
        return Order.sign(self._admitter_key, self.admitter, label, generation, body)

    def verify(self, record: NodeRecord) -> None:
        """As a node of this ring checks a record."""
        if record.signature not in self._true or self._true[record.signature] != record:
            record.verify(self.root, MADE_AT)
            self._true[record.signature] = record


def address(place: int) -> Address:
    """The ring address of a place, of which there are 2**24."""
    return Address(f"10.{place >> 16}.{place >> 8 & 255}.{place & 255}", RING_PORT)
