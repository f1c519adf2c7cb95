"""Node records made short: deflated against a record that both ends have, because those of a ring are much alike.

Of about 1,030 bytes 240 are left: keys, serials and signatures.  The record that both have is the sender's own.
"""

import zlib

from p2pchat.crypto.noderecord import MAX_NODE_RECORD_BYTES
from p2pchat.errors import Misbehaved

RAW_BITS = -15
"""No header and no checksum: signatures judge a record."""


def pack(record: bytes, like: bytes) -> bytes:
    """A record in the words of another one."""
    deflating = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, RAW_BITS, zdict=like)
    return deflating.compress(record) + deflating.flush()


def unpack(packed: bytes, like: bytes, most: int = MAX_NODE_RECORD_BYTES) -> bytes:
    """Back from `pack`, `most` bytes; Misbehaved for what is no packed record, or too long."""
    inflating = zlib.decompressobj(RAW_BITS, zdict=like)
    try:
        record = inflating.decompress(packed, most)
    except zlib.error:
        raise Misbehaved("A packed node record cannot be read.") from None
    if not inflating.eof or inflating.unused_data:
        raise Misbehaved("A packed node record is not whole, or too long.")
    return record
