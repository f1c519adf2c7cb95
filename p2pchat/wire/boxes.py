"""AMP boxes out of received bytes and into bytes to send, within limits of size and keys.

The wire format is Twisted's (twisted.protocols.amp).  An own parser, because Twisted's holds boxes of any size;
parser and serializer go over whole buffers, which takes a fraction of Twisted's time for each box.
"""

from collections.abc import Iterable, Iterator

from twisted.protocols import amp

from p2pchat.errors import Misbehaved

MAX_KEY_BYTES = 255
MAX_VALUE_BYTES = 65_535
"""What one AMP value holds; what may be longer is paged."""
LENGTH_BYTES = 2
END = b"\0\0"
"""Of a box."""


def pair(key: bytes, value: bytes) -> bytes:
    """One key with its value as they go over the wire; ValueError where they do not fit."""
    if not 0 < len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"{key!r} has {len(key)} bytes, a key has 1 to {MAX_KEY_BYTES}")
    if len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"{key!r} has {len(value)} bytes, one value holds {MAX_VALUE_BYTES}: page it")
    return b"\0%c%b%b%b" % (len(key), key, len(value).to_bytes(LENGTH_BYTES, "big"), value)


def pairs(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Keys with their values, in the order of the keys; a box is these and END."""
    return b"".join([pair(key, value) for key, value in sorted(items)])


class BoxParser:
    """Collects one connection's bytes; what it holds is bounded by one box.

    Args:
        most_bytes: largest box, in bytes on the wire.
        most_keys: most pairs of key and value in a box.
    """

    def __init__(self, most_bytes: int, most_keys: int) -> None:
        self._most_bytes, self._most_keys = most_bytes, most_keys
        self._rest = b""
        self._box = amp.AmpBox()
        self._key: bytes | None = None
        self._room, self._keys = most_bytes, 0

    def feed(self, received: bytes) -> Iterator[amp.AmpBox]:
        """Every box that is complete now, in order; Misbehaved where a limit is broken.

        Whoever stops reading in the middle, or meets Misbehaved, does not come back: the rest is gone.
        """
        buffer, self._rest = (self._rest + received if self._rest else received), b""
        box, key, room, keys = self._box, self._key, self._room, self._keys
        start, size = 0, len(buffer)
        while (begin := start + LENGTH_BYTES) <= size:
            length = (buffer[start] << 8) | buffer[start + 1]
            left = room - LENGTH_BYTES - length
            if left < 0 or (key is None and not (length and length <= MAX_KEY_BYTES and keys < self._most_keys)):
                self._check(key, length, left, keys)
            if (end := begin + length) > size:
                break
            if key is not None:
                box[key] = buffer[begin:end]
                key = None
            elif length:
                key = buffer[begin:end]
                keys += 1
            else:
                yield box
                box, left, keys = amp.AmpBox(), self._most_bytes, 0
            start, room = end, left
        self._rest = buffer[start:]
        self._box, self._key, self._room, self._keys = box, key, room, keys

    def _check(self, key: bytes | None, length: int, left: int, keys: int) -> None:
        if key is None:
            if length > MAX_KEY_BYTES:
                raise Misbehaved("Something else than AMP was sent.")
            if length and keys == self._most_keys:
                raise Misbehaved(f"A box with more than {self._most_keys} keys was sent.")
            if not length and not keys:
                raise Misbehaved("An empty box was sent.")
        if left < 0:
            raise Misbehaved(f"A box of more than {self._most_bytes} bytes was sent.")
