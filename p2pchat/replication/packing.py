"""Frozen dataclasses as bytes and back, by their annotations: the one encoding of replication, on the wire and on disk.

Integers are 8 bytes big-endian, enumerations 1 byte, bytes carry a 4-byte length, tuples a 4-byte count, optional
values a 1-byte mark.  Reading demands exact lengths and no trailing bytes; anything else is Misbehaved.
"""

import struct
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import IntEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import BITS, Identifier

MAX_COUNT = 65_536
IDENTIFIER_BYTES = BITS // 8

T = TypeVar("T")
Write = Callable[[Any, bytearray], None]
Read = Callable[["Cursor"], Any]

_NATURAL = struct.Struct(">Q")
_LENGTH = struct.Struct(">I")


class Cursor:
    """Reads along one encoded value."""

    __slots__ = ("encoded", "position")

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded
        self.position = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes; Misbehaved when there are fewer."""
        start, self.position = self.position, self.position + count
        if self.position > len(self.encoded):
            raise Misbehaved("A value that was sent ends too early.")
        return self.encoded[start : self.position]

    def length(self) -> int:
        """A count or length of 4 bytes."""
        number: int = _LENGTH.unpack(self.take(4))[0]
        return number


def pack(value: Any) -> bytes:
    """The bytes of a dataclass; ValueError when a number does not fit."""
    out = bytearray()
    kind: Any = type(value)
    _codec(kind)[0](value, out)
    return bytes(out)


def unpack(kind: type[T], encoded: bytes) -> T:
    """The dataclass in exactly these bytes; Misbehaved for any others."""
    cursor = Cursor(encoded)
    wanted: Any = kind
    value: T = _codec(wanted)[1](cursor)
    if cursor.position != len(encoded):
        raise Misbehaved("A value that was sent has bytes too many.")
    return value


def packed_size(value: Any) -> int:
    """How many bytes `pack` makes of it."""
    return len(pack(value))


@cache
def _codec(kind: Any) -> tuple[Write, Read]:
    if kind is Identifier:
        return _identifier_codec()
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return _enumeration_codec(kind)
    if is_dataclass(kind):
        return _dataclass_codec(kind)
    if kind is bool:
        return _flag_codec()
    if kind is int:
        return _natural_codec()
    if kind is bytes:
        return _bytes_codec()
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and inner == (int, Ellipsis):
        return _naturals_codec()
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return _tuple_codec(*_codec(inner[0]))
    if origin in (Union, UnionType) and len(inner) == 2 and inner[1] is NoneType:
        return _optional_codec(*_codec(inner[0]))
    raise TypeError(f"no encoding for {kind!r}")


def _identifier_codec() -> tuple[Write, Read]:
    def write(value: int, out: bytearray) -> None:
        out += value.to_bytes(IDENTIFIER_BYTES, "big")

    def read(cursor: Cursor) -> Identifier:
        return Identifier(int.from_bytes(cursor.take(IDENTIFIER_BYTES), "big"))

    return write, read


def _natural_codec() -> tuple[Write, Read]:
    def write(value: int, out: bytearray) -> None:
        if not 0 <= value < 1 << 64:
            raise ValueError(f"{value} is not a number of 8 bytes")
        out += _NATURAL.pack(value)

    def read(cursor: Cursor) -> int:
        number: int = _NATURAL.unpack(cursor.take(8))[0]
        return number

    return write, read


def _flag_codec() -> tuple[Write, Read]:
    def write(value: bool, out: bytearray) -> None:
        out.append(1 if value else 0)

    def read(cursor: Cursor) -> bool:
        return _mark(cursor)

    return write, read


def _enumeration_codec(kind: type[IntEnum]) -> tuple[Write, Read]:
    known = {int(each): each for each in kind}

    def write(value: int, out: bytearray) -> None:
        out.append(value)

    def read(cursor: Cursor) -> IntEnum:
        number = cursor.take(1)[0]
        if number not in known:
            raise Misbehaved(f"{number} is no {kind.__name__}.")
        return known[number]

    return write, read


def _bytes_codec() -> tuple[Write, Read]:
    def write(value: bytes, out: bytearray) -> None:
        out += _LENGTH.pack(len(value))
        out += value

    def read(cursor: Cursor) -> bytes:
        return cursor.take(cursor.length())

    return write, read


def _tuple_codec(write_one: Write, read_one: Read) -> tuple[Write, Read]:
    def write(value: tuple[Any, ...], out: bytearray) -> None:
        out += _LENGTH.pack(len(value))
        for each in value:
            write_one(each, out)

    def read(cursor: Cursor) -> tuple[Any, ...]:
        count = cursor.length()
        if count > MAX_COUNT:
            raise Misbehaved(f"A list of {count} elements was sent.")
        return tuple(read_one(cursor) for _ in range(count))

    return write, read


def _naturals_codec() -> tuple[Write, Read]:
    """As `_tuple_codec` of numbers, at a tenth of its price: lists of slots are long."""

    def write(value: tuple[int, ...], out: bytearray) -> None:
        if value and not (min(value) >= 0 and max(value) < 1 << 64):
            raise ValueError("a number in a list does not fit into 8 bytes")
        out += struct.pack(f">I{len(value)}Q", len(value), *value)

    def read(cursor: Cursor) -> tuple[int, ...]:
        count = cursor.length()
        if count > MAX_COUNT:
            raise Misbehaved(f"A list of {count} elements was sent.")
        return struct.unpack(f">{count}Q", cursor.take(8 * count))

    return write, read


def _optional_codec(write_one: Write, read_one: Read) -> tuple[Write, Read]:
    def write(value: Any, out: bytearray) -> None:
        out.append(0 if value is None else 1)
        if value is not None:
            write_one(value, out)

    def read(cursor: Cursor) -> Any:
        return read_one(cursor) if _mark(cursor) else None

    return write, read


def _dataclass_codec(kind: Any) -> tuple[Write, Read]:
    hints = get_type_hints(kind)
    parts = [(field.name, *_codec(hints[field.name])) for field in fields(kind)]

    def write(value: Any, out: bytearray) -> None:
        for name, write_one, _ in parts:
            write_one(getattr(value, name), out)

    def read(cursor: Cursor) -> Any:
        return kind(*[read_one(cursor) for _, _, read_one in parts])

    return write, read


def _mark(cursor: Cursor) -> bool:
    mark = cursor.take(1)[0]
    if mark > 1:
        raise Misbehaved(f"{mark} is neither yes nor no.")
    return mark == 1
