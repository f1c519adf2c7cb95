"""What one connection writes: joined while bytes are read, and bounded while the other end does not read."""

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost

JOINED_BYTES = 64 * 1024
"""Boxes that are written while bytes are read go to the transport together, or when they have this size."""


class Writer:
    """Writes boxes to a transport.

    Args:
        most_unsent: bytes that are kept for an end that does not read.
        cut: hangs up, for the reason given.
    """

    def __init__(self, most_unsent: int, cut: Callable[[str], None]) -> None:
        self._most_unsent, self._cut = most_unsent, cut
        self._transport: Any = None
        self._holding = self.paused = False
        self._held: list[bytes] = []
        self._held_bytes = self._unsent = 0

    def open(self, transport: Any) -> None:
        """Write to this transport from now on."""
        self._transport = transport

    def close(self) -> None:
        """Write nothing more; what is held is dropped."""
        self._transport = None
        self._held.clear()

    def write(self, encoded: bytes) -> None:
        """Write one box; ConnectionLost where that is not possible, or not any more."""
        if self._transport is None:
            raise ConnectionLost
        if self.paused:
            self._unsent += len(encoded)
            if self._unsent > self._most_unsent:
                self._cut("It does not read what it asked for.")
                raise ConnectionLost
        if not self._holding:
            self._transport.write(encoded)
            return
        self._held.append(encoded)
        self._held_bytes += len(encoded)
        if self._held_bytes >= JOINED_BYTES:
            self.flush()

    def hold(self) -> None:
        """Join what is written until `release`, which follows in the same turn of the reactor."""
        self._holding = True

    def release(self) -> None:
        """Write what was joined, and from now on at once."""
        self._holding = False
        if self._held:
            self.flush()

    def flush(self) -> None:
        """Write what was joined so far."""
        together, self._held, self._held_bytes = b"".join(self._held), [], 0
        if self._transport is not None and together:
            self._transport.write(together)

    def pause(self) -> None:
        """The other end reads too slowly: count what is written from now on."""
        self.paused, self._unsent = True, 0

    def resume(self) -> None:
        """The other end has read."""
        self.paused = False
