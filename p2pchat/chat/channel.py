"""One direct connection between two agents: whose it is, and how messages on it are sealed and opened."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.chat.receiving import Incoming
from p2pchat.crypto.channel import ChannelKey, ChannelKeyring
from p2pchat.crypto.encoding import KEY_ID_BYTES
from p2pchat.crypto.envelope import Kind, SealingKey
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.opening import Opener
from p2pchat.crypto.sealing import Sealer
from p2pchat.crypto.session import SessionRecord
from p2pchat.errors import CannotOpen, StaleKey

MAX_FAILURES = 3
"""Messages that do not open, after which the connection is closed."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a connection as they proved themselves in its HELLO; later records do not change it."""

    identity: Identity
    session_key: Ed25519PrivateKey = field(repr=False)
    mine: SessionRecord
    theirs: SessionRecord
    account_version: int
    exporter: bytes = field(repr=False)


class Channel:
    """The keys of one connection, in RAM only."""

    def __init__(self, ends: Ends, now: Callable[[], float], chance: Callable[[int], bytes]) -> None:
        self.user, self.epoch, self.ends = ends.theirs.user, ends.theirs.epoch, ends
        self._now = now
        self._keyring = ChannelKeyring(ends.session_key, ends.mine, ends.theirs, ends.exporter, chance)
        self._sealer = Sealer(ends.identity, ends.account_version, ends.mine.epoch, chance)
        self._opener = Opener(ends.identity)
        self._to: SealingKey | None = None
        self._sent_header = self._heard_header = b""
        self.failures = 0

    # -- out

    @property
    def knows_key(self) -> bool:
        """Whether the other end told which key to seal to."""
        return self._to is not None

    def take_key(self, encoded: bytes) -> None:
        """The other end's key; Misbehaved if it is for anybody or anything else."""
        ends = self.ends
        key = ChannelKey.parse(encoded, ends.theirs, ends.mine, ends.exporter)
        self._to = SealingKey(ends.theirs.identity, Kind.CHANNEL, key.key_id, key.public_key)

    def forget_key(self) -> None:
        """The other end does not know that key any more."""
        self._to, self._sent_header = None, b""

    def seal(self, frame: bytes) -> tuple[bytes | None, bytes]:
        """Header (None while it is the one sent before) and message."""
        if self._to is None:
            raise StaleKey("No key of the other end is known.")
        sealed = self._sealer.seal_encoded(self._to, frame, self._now())
        repeated, self._sent_header = sealed.header == self._sent_header, sealed.header
        return (None if repeated else sealed.header), sealed.message

    @property
    def header_lasts(self) -> bool:
        """Whether the next message is sealed under the header of the one before."""
        return self._to is not None and self._sealer.lasts(self._to, self._now())

    # -- in

    def key(self) -> bytes:
        """The key that the other end shall seal to."""
        return self._keyring.current(self._now()).encode()

    def open(self, header: bytes | None, message: bytes) -> Incoming:
        """The message; CannotOpen counts as a failure, StaleKey does not."""
        if header is not None:
            self._heard_header = header
        key_id = self._heard_header[2 : 2 + KEY_ID_BYTES]
        private = self._keyring.private(key_id, self._now())
        if private is None:
            self._opener.drop_key(key_id)
            raise StaleKey("The key of this connection was replaced; ask for it again.")
        self._opener.add_key(Kind.CHANNEL, key_id, private)
        theirs = self.ends.theirs
        try:
            opened = self._opener.open(
                self._heard_header, message, theirs.identity, other_end=(theirs.user, theirs.epoch)
            )
        except CannotOpen:
            self.failures += 1
            raise
        return Incoming.of(opened)

    def close(self) -> None:
        """The connection is over: nothing under its keys opens any more."""
        self._keyring.close()
        self._to = None
