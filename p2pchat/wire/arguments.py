"""Argument types of AMP commands, each with its limits: what does not fit is refused before a responder sees it.

Reading raises Misbehaved (the other end sent it), writing raises ValueError (a bug of ours).  All take
`optional=True`; an optional argument that is missing arrives as None.
"""

import math
from collections.abc import Sequence

from twisted.protocols import amp

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import BITS, MAX_HOST_CHARACTERS, Address, Identifier, from_bytes, to_bytes
from p2pchat.wire.boxes import LENGTH_BYTES, MAX_VALUE_BYTES

MAX_NATURAL = 2**64 - 1
IDENTIFIER_BYTES = BITS // 8
MAX_IDENTIFIERS = MAX_VALUE_BYTES // IDENTIFIER_BYTES
MAX_ADDRESS_BYTES = MAX_HOST_CHARACTERS * 4 + 8
MAX_ADDRESSES = 64


class IdentifierArgument(amp.Argument):
    """A point of the circle, 32 bytes."""

    def toString(self, inObject: Identifier) -> bytes:
        return to_bytes(inObject)

    def fromString(self, inString: bytes) -> Identifier:
        if len(inString) != IDENTIFIER_BYTES:
            raise Misbehaved(f"An identifier of {len(inString)} bytes was sent.")
        return from_bytes(inString)


class IdentifiersArgument(amp.Argument):
    """A list of points, at most `most` of them, in the sender's order."""

    def __init__(self, most: int = MAX_IDENTIFIERS, optional: bool = False) -> None:
        super().__init__(optional)
        self.most = min(most, MAX_IDENTIFIERS)

    def toString(self, inObject: Sequence[Identifier]) -> bytes:
        _check_count(len(inObject), self.most)
        return b"".join(map(to_bytes, inObject))

    def fromString(self, inString: bytes) -> list[Identifier]:
        count, rest = divmod(len(inString), IDENTIFIER_BYTES)
        if rest or count > self.most:
            raise Misbehaved(f"A list of identifiers of {len(inString)} bytes was sent.")
        starts = range(0, len(inString), IDENTIFIER_BYTES)
        return [from_bytes(inString[start : start + IDENTIFIER_BYTES]) for start in starts]


class Natural(amp.Argument):
    """A whole number, 0 <= number <= `most` <= 2**64 - 1, as 8 bytes big-endian."""

    def __init__(self, most: int = MAX_NATURAL, optional: bool = False) -> None:
        super().__init__(optional)
        self.most = most

    def toString(self, inObject: int) -> bytes:
        if not 0 <= inObject <= self.most:
            raise ValueError(f"{inObject} is not from 0 to {self.most}")
        return int(inObject).to_bytes(8, "big")

    def fromString(self, inString: bytes) -> int:
        number = int.from_bytes(inString, "big")
        if len(inString) != 8 or number > self.most:
            raise Misbehaved(f"A number above {self.most} or of {len(inString)} bytes was sent.")
        return number


class Real(amp.Argument):
    """A finite floating-point number, as Python prints it."""

    MAX_BYTES = 32

    def toString(self, inObject: float) -> bytes:
        if not math.isfinite(inObject):
            raise ValueError(f"{inObject} is not finite")
        return repr(float(inObject)).encode("ascii")

    def fromString(self, inString: bytes) -> float:
        try:
            number = float(inString.decode("ascii")) if len(inString) <= self.MAX_BYTES else math.inf
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise Misbehaved("Something else than a finite number was sent.")
        return number


class Flag(amp.Argument):
    """True or False, one byte."""

    def toString(self, inObject: bool) -> bytes:
        return b"\1" if inObject else b"\0"

    def fromString(self, inString: bytes) -> bool:
        if inString not in (b"\0", b"\1"):
            raise Misbehaved("Something else than a yes or a no was sent.")
        return inString == b"\1"


class Blob(amp.Argument):
    """Bytes, `least` to `most` of them."""

    def __init__(self, most: int = MAX_VALUE_BYTES, least: int = 0, optional: bool = False) -> None:
        super().__init__(optional)
        self.most, self.least = min(most, MAX_VALUE_BYTES), least

    def toString(self, inObject: bytes) -> bytes:
        if not self.least <= len(inObject) <= self.most:
            raise ValueError(f"{len(inObject)} bytes are not from {self.least} to {self.most}")
        return bytes(inObject)

    def fromString(self, inString: bytes) -> bytes:
        if not self.least <= len(inString) <= self.most:
            raise Misbehaved(f"{len(inString)} bytes were sent instead of {self.least} to {self.most}.")
        return inString


class Blobs(amp.Argument):
    """A list of at most `most` byte strings, each at most `each` bytes; together they must fit into one value."""

    def __init__(self, most: int, each: int = MAX_VALUE_BYTES, optional: bool = False) -> None:
        super().__init__(optional)
        self.most, self.each = most, min(each, MAX_VALUE_BYTES - LENGTH_BYTES)

    def toString(self, inObject: Sequence[bytes]) -> bytes:
        _check_count(len(inObject), self.most)
        return joined(inObject, self.each)

    def fromString(self, inString: bytes) -> list[bytes]:
        return split(inString, self.most, self.each)


class Text(amp.Argument):
    """A text, at most `most` bytes of UTF-8."""

    def __init__(self, most: int = MAX_VALUE_BYTES, optional: bool = False) -> None:
        super().__init__(optional)
        self.most = min(most, MAX_VALUE_BYTES)

    def toString(self, inObject: str) -> bytes:
        encoded = inObject.encode()
        if len(encoded) > self.most:
            raise ValueError(f"a text of {len(encoded)} bytes is longer than {self.most}")
        return encoded

    def fromString(self, inString: bytes) -> str:
        if len(inString) > self.most:
            raise Misbehaved(f"A text of {len(inString)} bytes was sent, {self.most} are allowed.")
        return _decoded(inString)


class Texts(amp.Argument):
    """A list of at most `most` texts, each at most `each` bytes of UTF-8."""

    def __init__(self, most: int, each: int, optional: bool = False) -> None:
        super().__init__(optional)
        self.most, self.each = most, each

    def toString(self, inObject: Sequence[str]) -> bytes:
        _check_count(len(inObject), self.most)
        return joined([text.encode() for text in inObject], self.each)

    def fromString(self, inString: bytes) -> list[str]:
        return [_decoded(encoded) for encoded in split(inString, self.most, self.each)]


class AddressesArgument(amp.Argument):
    """A list of HOST:PORT, at most `most`, best first."""

    def __init__(self, most: int = MAX_ADDRESSES, optional: bool = False) -> None:
        super().__init__(optional)
        self.most = most

    def toString(self, inObject: Sequence[Address]) -> bytes:
        _check_count(len(inObject), self.most)
        return joined([str(address).encode() for address in inObject], MAX_ADDRESS_BYTES)

    def fromString(self, inString: bytes) -> list[Address]:
        return [parsed_address(encoded) for encoded in split(inString, self.most, MAX_ADDRESS_BYTES)]


def joined(parts: Sequence[bytes], each: int = MAX_VALUE_BYTES) -> bytes:
    """The parts behind each other, each after its length (2 bytes); ValueError where they do not fit one value."""
    for part in parts:
        if len(part) > min(each, MAX_VALUE_BYTES):
            raise ValueError(f"a part of {len(part)} bytes is longer than {each}")
    encoded = b"".join(len(part).to_bytes(LENGTH_BYTES, "big") + part for part in parts)
    if len(encoded) > MAX_VALUE_BYTES:
        raise ValueError(f"a list of {len(encoded)} bytes does not fit into one value; page it")
    return encoded


def split(encoded: bytes, most: int, each: int = MAX_VALUE_BYTES) -> list[bytes]:
    """The inverse of `joined`, for at most `most` parts of at most `each` bytes; else Misbehaved."""
    parts: list[bytes] = []
    start = 0
    while start < len(encoded):
        begin = start + LENGTH_BYTES
        start = begin + int.from_bytes(encoded[start:begin], "big")
        if start > len(encoded) or begin > len(encoded) or start - begin > each or len(parts) == most:
            raise Misbehaved("A list with too many, too long or cut parts was sent.")
        parts.append(encoded[begin:start])
    return parts


def parsed_address(encoded: bytes) -> Address:
    """The address in what another end sent; else Misbehaved."""
    if len(encoded) > MAX_ADDRESS_BYTES:
        raise Misbehaved(f"An address of {len(encoded)} bytes was sent.")
    try:
        return Address.parse(encoded.decode())
    except ValueError as error:
        raise Misbehaved(f"Something else than HOST:PORT was sent: {error}.") from error


def _decoded(encoded: bytes) -> str:
    try:
        return encoded.decode()
    except UnicodeDecodeError as error:
        raise Misbehaved("A text was sent that is not UTF-8.") from error


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise ValueError(f"a list of {count} is longer than {most}; page it")
