"""Argument types of the agent's control socket: rows as JSON objects, deflated."""

import json
import zlib
from typing import Any, TypeAlias

from twisted.protocols import amp

MAX_ROWS_BYTES = 4 * 1024 * 1024
"""Largest unpacked value of such an argument."""
MAX_PACKED_BYTES = 65_535
"""What one AMP value holds."""

JSONObject: TypeAlias = dict[str, Any]


class Rows(amp.Argument):
    """A list of JSON objects: one object a line, UTF-8, deflated (a text of 48 KiB may have 288 KiB as JSON)."""

    def toString(self, inObject: list[JSONObject]) -> bytes:
        lines = "\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in inObject)
        return zlib.compress(lines.encode("utf-8", "surrogatepass"), 1)

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
