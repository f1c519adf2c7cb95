"""AMP commands of a channel: agent to agent, over TLS whose both ends are proven by session records."""

from twisted.protocols import amp

from p2pchat.errors import Busy, CannotOpen, InternalError, Misbehaved, StaleKey, TryElsewhere, on_wire
from p2pchat.wire.arguments import Blob, Blobs, Natural

MAX_KEY_BYTES = 4096
HEADER_BYTES = 2610
MAX_MESSAGE_BYTES = 60_000
MAX_TOGETHER = 64
"""Messages in one call."""


class AskChannelKey(amp.Command):
    """The key that the caller shall seal to on this connection (an encoded crypto.channel.ChannelKey)."""

    response = [(b"key", Blob(MAX_KEY_BYTES))]
    errors = on_wire(Misbehaved, TryElsewhere, InternalError)


class Deliver(amp.Command):
    """Sealed messages; when this answers, the first `taken` are on the callee's disk, in its session `epoch`.

    `header` is left out while it stays the one of the message before.  `more` follow the first one under the same
    header; a program that does not know them answers without `taken`, and has taken the first one.  StaleKey: ask for
    the key again and seal anew.  After any error none counts as delivered.
    """

    arguments = [
        (b"header", Blob(HEADER_BYTES, HEADER_BYTES, optional=True)),
        (b"message", Blob(MAX_MESSAGE_BYTES)),
        (b"more", Blobs(MAX_TOGETHER - 1, MAX_MESSAGE_BYTES, optional=True)),
    ]
    response = [(b"epoch", Natural()), (b"taken", Natural(MAX_TOGETHER, optional=True))]
    errors = on_wire(StaleKey, CannotOpen, Misbehaved, Busy, TryElsewhere, InternalError)
