"""AMP boxes out of received bytes, within limits of size and keys.

The wire format is Twisted's (twisted.protocols.amp).  An own parser, because Twisted's holds boxes of any size,
and because reading the whole buffer at once takes half the time per call.
"""

from collections.abc import Iterator

from twisted.protocols import amp

from p2pchat.errors import Misbehaved

MAX_KEY_BYTES = 255
LENGTH_BYTES = 2


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
        self._bytes = self._keys = 0

    def feed(self, received: bytes) -> Iterator[amp.AmpBox]:
        """Every box that is complete now, in order; Misbehaved where a limit is broken.

        Whoever stops reading in the middle, or meets Misbehaved, does not come back: the rest is gone.
        """
        buffer, self._rest = (self._rest + received if self._rest else received), b""
        start = 0
        while (begin := start + LENGTH_BYTES) <= len(buffer):
            length = (buffer[start] << 8) | buffer[start + 1]
            self._check(length)
            if begin + length > len(buffer):
                break
            start = begin + length
            self._bytes += LENGTH_BYTES + length
            if self._key is not None:
                self._box[self._key] = buffer[begin:start]
                self._key = None
            elif length:
                self._key = buffer[begin:start]
                self._keys += 1
            else:
                complete, self._box = self._box, amp.AmpBox()
                self._bytes = self._keys = 0
                yield complete
        self._rest = buffer[start:]

    def _check(self, length: int) -> None:
        if self._key is None:
            if length > MAX_KEY_BYTES:
                raise Misbehaved("Something else than AMP was sent.")
            if length and self._keys == self._most_keys:
                raise Misbehaved(f"A box with more than {self._most_keys} keys was sent.")
            if not length and not self._keys:
                raise Misbehaved("An empty box was sent.")
        if self._bytes + LENGTH_BYTES + length > self._most_bytes:
            raise Misbehaved(f"A box of more than {self._most_bytes} bytes was sent.")
