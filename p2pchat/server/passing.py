"""A node's latest lookups in a few bytes, so that a ring view can draw them as they pass.

Nodes are named by the first four bytes of their identifiers; what was looked for is not told.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from p2pchat.chord.lookup import Passed
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import BITS, Identifier

MAX_LOOKUPS = 4
MAX_HOPS = 6
"""Of one lookup that are told."""

NAME_BYTES = 4
MAX_PASSING_BYTES = MAX_LOOKUPS * (8 + 1 + NAME_BYTES * (MAX_HOPS + 1))


@dataclass(frozen=True, slots=True)
class Passing:
    """One lookup of a node: its number there, who was asked, and who was found; nodes by 8 hex digits."""

    number: int
    hops: tuple[str, ...]
    owner: str


def pack(lookups: Iterable[Passed]) -> bytes:
    """u64 number ‖ u8 nodes ‖ the hops' names ‖ the owner's name, one lookup after the other, the latest last."""
    packed = b""
    for each in list(lookups)[-MAX_LOOKUPS:]:
        nodes = [*each.hops[:MAX_HOPS], each.owner]
        packed += each.number.to_bytes(8, "big") + bytes([len(nodes)]) + b"".join(map(_short, nodes))
    return packed


def unpack(packed: bytes) -> tuple[Passing, ...]:
    """Undo `pack`; Misbehaved for any other form."""
    found: list[Passing] = []
    while packed:
        count = packed[8] if len(packed) > 8 else 0
        end = 9 + NAME_BYTES * count
        if not 1 <= count <= MAX_HOPS + 1 or len(packed) < end or len(found) == MAX_LOOKUPS:
            raise Misbehaved("a node's lookups have a form that we do not know")
        names = [packed[at : at + NAME_BYTES].hex() for at in range(9, end, NAME_BYTES)]
        found.append(Passing(int.from_bytes(packed[:8], "big"), tuple(names[:-1]), names[-1]))
        packed = packed[end:]
    return tuple(found)


def _short(node: Identifier) -> bytes:
    return (node >> (BITS - 8 * NAME_BYTES)).to_bytes(NAME_BYTES, "big")
