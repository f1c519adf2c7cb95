"""Bytes of every signed, hashed and derived value: length-prefixed fields under a label.

docs/protocol.md repeats these rules.  Parsers demand exact lengths and no trailing bytes; what they refuse is
`Misbehaved`, because nobody but a broken or hostile program writes it.
"""

from hashlib import sha256

from p2pchat.errors import Misbehaved

PROTOCOL = b"p2pchat/1 "
RING_BYTES = 32
DIGEST_BYTES = 32
KEY_ID_BYTES = 16
LENGTH_BYTES = 4
"""Before each field."""
MAX_USER_BYTES = 128
NO_PREVIOUS = bytes(DIGEST_BYTES)
"""`prev` of a first version."""


def u8(number: int) -> bytes:
    """One byte."""
    return number.to_bytes(1, "big")


def u32(number: int) -> bytes:
    """Four bytes, big-endian."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """Eight bytes, big-endian."""
    return number.to_bytes(8, "big")


def lv(field: bytes) -> bytes:
    """LV(x): u32 length, then x."""
    return len(field).to_bytes(4, "big") + field


def T(label: str, ring: bytes, *fields: bytes) -> bytes:
    """The one form of everything that is hashed, signed or derived from, under a label of its own."""
    return b"".join(lv(field) for field in (PROTOCOL + label.encode("ascii"), ring, *fields))


def H(encoded: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return sha256(encoded).digest()


def split(encoded: bytes, count: int | None = None) -> list[bytes]:
    """The fields of LV ‖ LV ‖ …; with `count`, exactly so many.

    Raises:
        Misbehaved: a length points beyond the end, or the number of fields is wrong.
    """
    fields: list[bytes] = []
    position = 0
    while position < len(encoded):
        start = position + 4
        end = start + int.from_bytes(encoded[position:start], "big")
        if start > len(encoded) or end > len(encoded):
            raise Misbehaved("A field is longer than what was sent.")
        fields.append(encoded[start:end])
        position = end
    if count is not None and len(fields) != count:
        raise Misbehaved(f"{count} fields were expected, {len(fields)} came.")
    return fields


def split_between(encoded: bytes, least: int, most: int) -> list[bytes]:
    """`split` where the last fields may be absent."""
    fields = split(encoded)
    if not least <= len(fields) <= most:
        raise Misbehaved(f"{least} to {most} fields were expected, {len(fields)} came.")
    return fields


def untagged(encoded: bytes, label: str, ring: bytes, count: int, most: int = 0) -> list[bytes]:
    """The `count` (up to `most`) fields of a T(label, …) of this ring, refusing any other label, ring or number."""
    fields = split(encoded)
    if not count <= len(fields) - 2 <= max(count, most):
        raise Misbehaved(f"{count} fields were expected after a label, {len(fields) - 2} came.")
    if fields[0] != PROTOCOL + label.encode("ascii"):
        raise Misbehaved(f"A record is no {label!r} of this protocol version.")
    if fields[1] != ring:
        raise Misbehaved(f"The {label} belongs to another ring.")
    return fields[2:]


def sized(field: bytes, size: int, what: str) -> bytes:
    """`field` if it has exactly `size` bytes."""
    if len(field) != size:
        raise Misbehaved(f"{what} has {len(field)} bytes instead of {size}.")
    return field


def number(field: bytes, size: int = 8) -> int:
    """The integer in exactly `size` bytes, big-endian."""
    return int.from_bytes(sized(field, size, "A number"), "big")


def user_name(field: bytes) -> str:
    """A user name as it stands in a record: 1 to 128 bytes of UTF-8 (`names.is_canonical` decides more)."""
    if not 1 <= len(field) <= MAX_USER_BYTES:
        raise Misbehaved(f"A user name has 1 to {MAX_USER_BYTES} bytes, not {len(field)}.")
    return text(field)


def text(field: bytes) -> str:
    """UTF-8, strictly."""
    try:
        return field.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Misbehaved("A text is no UTF-8.") from None
