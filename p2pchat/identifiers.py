"""Points and arcs of the circle, and addresses of programs.

Source of the circle: Stoica et al., "Chord", IEEE/ACM Trans. Networking 11(1), 2003, section IV.
"""

import ipaddress
from dataclasses import dataclass
from hashlib import sha256
from typing import NewType, Self

BITS = 256
CIRCLE = 1 << BITS
MAX_HOST_CHARACTERS = 253

Identifier = NewType("Identifier", int)
"""A point of the circle, 0 <= identifier < 2**256."""


def to_bytes(identifier: Identifier) -> bytes:
    """32 bytes, big-endian: the order of bytes is the order of the ring."""
    return identifier.to_bytes(BITS // 8, "big")


def from_bytes(encoded: bytes) -> Identifier:
    """The identifier in exactly 32 bytes; ValueError for another length."""
    if len(encoded) != BITS // 8:
        raise ValueError(f"an identifier has {BITS // 8} bytes, not {len(encoded)}")
    return Identifier(int.from_bytes(encoded, "big"))


def name(identifier: Identifier) -> str:
    """The first 8 hex digits, as people see them."""
    return to_bytes(identifier)[:4].hex()


def between(start: Identifier, point: Identifier, end: Identifier) -> bool:
    """Whether `point` lies strictly inside the clockwise way from start to end; start == end is the whole circle."""
    if start == end:
        return point != start
    if start < end:
        return start < point < end
    return point > start or point < end


def distance(start: Identifier, end: Identifier) -> int:
    """Steps clockwise from start to end, 0 <= steps < 2**256."""
    return (end - start) % CIRCLE


def account_identifier(user: str) -> Identifier:
    """Where everything about a user lives: SHA-256 over kind and canonical user name."""
    return from_bytes(sha256(b"account\0" + user.encode()).digest())


@dataclass(frozen=True, slots=True)
class Arc:
    """The half-open interval (start, end] of the circle; start == end is all of it."""

    start: Identifier
    end: Identifier

    def __contains__(self, point: Identifier) -> bool:
        return point == self.end or between(self.start, point, self.end)


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """HOST:PORT of a program; an IPv6 host is printed in brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT` or `[IPv6]:PORT`; ValueError says what is wrong.  Port 0 means any."""
        host, colon, digits = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
            ipaddress.IPv6Address(host)
        elif ":" in host:
            raise ValueError(f"{text!r} is no HOST:PORT; write an IPv6 address as [ADDRESS]:PORT")
        if not colon or not host or len(host) > MAX_HOST_CHARACTERS:
            raise ValueError(f"{text!r} is no HOST:PORT, such as 192.0.2.1:7401")
        if any(not character.isprintable() or character.isspace() for character in host):
            raise ValueError(f"{text!r} has a character that no host name has")
        if not (digits.isascii() and digits.isdigit() and int(digits) <= 65535):
            raise ValueError(f"the port in {text!r} must be a number from 0 to 65535")
        return cls(host, int(digits))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
