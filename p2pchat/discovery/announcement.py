"""Datagrams by which nodes are found: queries, and what nodes say about themselves.

    8 bytes "p2pchat" 01   u8 kind   8-byte nonce   then fields, each after its length (2 bytes)
    kind 1, a node: ring id, ring name, ring address, clients address; the nonce repeats that of the query, or is 0
    kind 2, a query: ring id or nothing (any ring); filled with zeros to 512 bytes, so that nobody is made to send more
    than was sent to him

Nothing here is proved; whoever dials an address checks the certificate of who answers.
"""

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TypeAlias

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Address
from p2pchat.wire.arguments import MAX_ADDRESS_BYTES, joined, parsed_address, split

MAGIC = b"p2pchat\x01"
NODE, QUERY = 1, 2
NONCE_BYTES = 8
NO_NONCE = bytes(NONCE_BYTES)
RING_BYTES = 32
MAX_NAME_BYTES = 64
MAX_DATAGRAM_BYTES = 1200
MIN_QUERY_BYTES = 512
_HEADER_BYTES = len(MAGIC) + 1 + NONCE_BYTES


@dataclass(frozen=True, slots=True, order=True)
class Heard:
    """A node that somebody says is there."""

    ring: bytes
    name: str
    ring_address: Address
    clients_address: Address

    def seen_from(self, host: str) -> "Heard":
        """With the sender's host where the node named none (it listens on all its addresses)."""
        return replace(
            self,
            ring_address=_concrete(self.ring_address, host),
            clients_address=_concrete(self.clients_address, host),
        )


@dataclass(frozen=True, slots=True)
class Announcement:
    """A node is here; `nonce` is that of the query which this answers."""

    node: Heard
    nonce: bytes = NO_NONCE


@dataclass(frozen=True, slots=True)
class Query:
    """Which nodes are here?  Of this ring, or of any."""

    nonce: bytes
    ring: bytes | None = None


Datagram: TypeAlias = Announcement | Query


def encode(datagram: Datagram) -> bytes:
    """The bytes of one datagram; ValueError where a field is too long."""
    if isinstance(datagram, Query):
        fields = joined([datagram.ring or b""])
        return (MAGIC + bytes([QUERY]) + datagram.nonce + fields).ljust(MIN_QUERY_BYTES, b"\0")
    node = datagram.node
    addresses = [str(node.ring_address).encode(), str(node.clients_address).encode()]
    if len(node.name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"a ring's name has at most {MAX_NAME_BYTES} bytes")
    encoded = MAGIC + bytes([NODE]) + datagram.nonce + joined([node.ring, node.name.encode(), *addresses])
    if len(encoded) > MIN_QUERY_BYTES:
        raise ValueError("an announcement must not be longer than a query; choose shorter host names")
    return encoded


def decode(encoded: bytes) -> Datagram:
    """The meaning of a datagram from anybody; Misbehaved where it has none."""
    if not _HEADER_BYTES <= len(encoded) <= MAX_DATAGRAM_BYTES or not encoded.startswith(MAGIC):
        raise Misbehaved("A datagram is not of p2pchat.")
    kind, nonce, fields = encoded[len(MAGIC)], encoded[len(MAGIC) + 1 : _HEADER_BYTES], encoded[_HEADER_BYTES:]
    if kind == QUERY:
        return _query(nonce, fields)
    if kind == NODE:
        return Announcement(_node(fields), nonce)
    raise Misbehaved(f"A datagram is of the unknown kind {kind}.")


def _query(nonce: bytes, fields: bytes) -> Query:
    length = int.from_bytes(fields[:2], "big")
    if len(fields) + _HEADER_BYTES < MIN_QUERY_BYTES or length not in (0, RING_BYTES):
        raise Misbehaved("A query is too short, or names no ring.")
    return Query(nonce, fields[2 : 2 + length] or None)


def _node(fields: bytes) -> Heard:
    parts = split(fields, 4, MAX_ADDRESS_BYTES)
    if len(parts) != 4 or len(parts[0]) != RING_BYTES or len(parts[1]) > MAX_NAME_BYTES:
        raise Misbehaved("An announcement has wrong fields.")
    try:
        name = parts[1].decode()
    except UnicodeDecodeError:
        raise Misbehaved("The name of a ring is not UTF-8.") from None
    if not name.isprintable():
        raise Misbehaved("The name of a ring cannot be shown.")
    node = Heard(parts[0], name, parsed_address(parts[2]), parsed_address(parts[3]))
    if not node.ring_address.port or not node.clients_address.port:
        raise Misbehaved("An announcement has an address without a port.")
    return node


def _concrete(address: Address, host: str) -> Address:
    try:
        unspecified = ip_address(address.host).is_unspecified
    except ValueError:
        unspecified = False
    return Address(host, address.port) if unspecified else address
