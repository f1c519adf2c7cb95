"""What a replaced home hands over to the next one: pages of contacts and history, sealed like any message.

A page is deflated JSON lines; its first line says how far the hand-over is.
"""

import json
import zlib
from dataclasses import dataclass
from typing import Any, Self

from p2pchat.errors import Misbehaved

MAX_PAGE_BYTES = 56_000
"""A packed page; what one sealed message holds."""
MAX_UNPACKED_BYTES = 1 << 20
MAX_LINES = 2_000

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
    lines: tuple[tuple[str, dict[str, Any]], ...] = ()

    def to_bytes(self) -> bytes:
        """Packed; ValueError where these lines are more than one page holds."""
        unpacked = self._unpacked()
        packed = zlib.compress(unpacked, 6) if len(unpacked) <= MAX_UNPACKED_BYTES else b""
        if not 0 < len(packed) <= MAX_PAGE_BYTES:
            raise ValueError("so many lines are no page")
        return packed

    def _unpacked(self) -> bytes:
        first = {
            "messages": self.messages,
            "total": self.total,
            "last": self.last,
            "refused": self.refused,
            "capability": self.capability,
        }
        written = [first, *({"kind": kind, "row": row} for kind, row in self.lines)]
        lines = "\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in written)
        return lines.encode("utf-8", "surrogatepass")

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
