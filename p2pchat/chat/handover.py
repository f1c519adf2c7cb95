"""What a replaced home hands over to the next one: pages of contacts and history, sealed like any message.

A page is deflated JSON lines; its first line says how far the hand-over is.
"""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from p2pchat.errors import Misbehaved

MAX_PAGE_BYTES = 56_000
"""A packed page; what one sealed message holds."""
MAX_UNPACKED_BYTES = 1 << 20
MAX_LINES = 2_000
LEVEL = 6
"""Of deflate."""
Row = tuple[str, dict[str, Any]]

CONTACT, MESSAGE = "contact", "message"
KINDS = (CONTACT, MESSAGE)


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines: (kind, row).  `messages` of `total` have been sent with this page; `last` ends the hand-over."""

    messages: int
    total: int
    last: bool
    refused: bool
    capability: str
    lines: tuple[Row, ...] = ()

    def to_bytes(self) -> bytes:
        """Packed; ValueError where these lines are more than one page holds."""
        packed, count = pack(self.lines, lambda _: self)
        if count < len(self.lines):
            raise ValueError("so many lines are no page")
        return packed

    def first(self) -> bytes:
        """The line before all others."""
        return _line(
            {
                "messages": self.messages,
                "total": self.total,
                "last": self.last,
                "refused": self.refused,
                "capability": self.capability,
            }
        )

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Read a page; Misbehaved when it is none."""
        try:
            inflate = zlib.decompressobj()
            unpacked = inflate.decompress(body, MAX_UNPACKED_BYTES)
            if inflate.unconsumed_tail or not inflate.eof:
                raise ValueError("it is too long")
            first, *rows = [json.loads(line) for line in unpacked.decode("utf-8", "surrogatepass").split("\n")]
            lines = tuple((each["kind"], dict(each["row"])) for each in rows)
            if any(kind not in KINDS for kind, _ in lines):
                raise ValueError("it has lines of an unknown kind")
            return cls(
                int(first["messages"]),
                int(first["total"]),
                bool(first["last"]),
                bool(first["refused"]),
                str(first["capability"]),
                lines,
            )
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise Misbehaved(f"A page of a hand-over cannot be read ({error}).") from error


def pack(lines: Sequence[Row], page: Callable[[int], Page]) -> tuple[bytes, int]:
    """A packed page with as many of these lines, from the first on, as it holds, and how many they are.

    Args:
        page: what the page with so many of them says before them.

    Raises:
        ValueError: not even one fits.
    """
    written = [_line({"kind": kind, "row": row}) for kind, row in lines]
    count = len(written)
    while True:
        unpacked = b"\n".join((page(count).first(), *written[:count]))
        packed = zlib.compress(unpacked, LEVEL) if len(unpacked) <= MAX_UNPACKED_BYTES else b""
        if packed and len(packed) <= MAX_PAGE_BYTES:
            return packed, count
        if count <= 1:
            raise ValueError("a line is longer than a page")
        share = MAX_PAGE_BYTES / len(packed) if packed else MAX_UNPACKED_BYTES / len(unpacked)
        count = max(1, min(count - 1, int(count * share * 31 / 32)))


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
