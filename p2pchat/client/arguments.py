"""Argument types of the agent's control socket: rows as JSON objects, deflated."""

import json
import zlib
from typing import Any, TypeAlias

from twisted.protocols import amp

MAX_ROWS_BYTES = 4 * 1024 * 1024
"""Largest unpacked value of such an argument."""
PLAIN_BYTES = 1024
"""Rows up to this size are not worth it: 30 microseconds to set the compression up."""

JSONObject: TypeAlias = dict[str, Any]


def _stored(content: bytes) -> bytes:
    """What deflating makes of it (RFC 1950, 1951), in one block that is not compressed; 65,535 bytes at most."""
    size = len(content).to_bytes(2, "little")
    complement = (len(content) ^ 0xFFFF).to_bytes(2, "little")
    return b"".join((b"\x78\x01\x01", size, complement, content, zlib.adler32(content).to_bytes(4, "big")))


class Rows(amp.Argument):
    """A list of JSON objects: one object a line, UTF-8, deflated (a text of 48 KiB may have 288 KiB as JSON)."""

    def toString(self, inObject: list[JSONObject]) -> bytes:
        lines = "\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in inObject)
        encoded = lines.encode("utf-8", "surrogatepass")
        return zlib.compress(encoded, 1) if len(encoded) > PLAIN_BYTES else _stored(encoded)

    def fromString(self, inString: bytes) -> list[JSONObject]:
        inflate = zlib.decompressobj()
        lines = inflate.decompress(inString, MAX_ROWS_BYTES)
        if inflate.unconsumed_tail or not inflate.eof:
            raise ValueError(f"rows of more than {MAX_ROWS_BYTES} bytes")
        rows = [json.loads(line) for line in lines.decode("utf-8", "surrogatepass").split("\n") if line]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("each line of rows is one JSON object")
        return rows


class Row(Rows):
    """One JSON object."""

    def toString(self, inObject: JSONObject) -> bytes:  # type: ignore[override]
        return super().toString([inObject])

    def fromString(self, inString: bytes) -> JSONObject:  # type: ignore[override]
        (row,) = super().fromString(inString)
        return row
