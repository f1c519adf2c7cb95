"""AMP commands of a channel: agent to agent, over TLS whose both ends are proven by session records."""

from twisted.protocols import amp

from p2pchat.errors import Busy, CannotOpen, InternalError, Misbehaved, StaleKey, TryElsewhere, on_wire
from p2pchat.wire.arguments import Blob, Natural

MAX_KEY_BYTES = 4096
HEADER_BYTES = 2610
MAX_MESSAGE_BYTES = 60_000


class AskChannelKey(amp.Command):
    """The key that the caller shall seal to on this connection (an encoded crypto.channel.ChannelKey)."""

    response = [(b"key", Blob(MAX_KEY_BYTES))]
    errors = on_wire(Misbehaved, TryElsewhere, InternalError)


class Deliver(amp.Command):
    """One sealed message; when this answers, it is on the callee's disk, in its session `epoch`.

    `header` is left out while it stays the one of the message before.  StaleKey: ask for the key again and seal anew.
    """

    arguments = [
        (b"header", Blob(HEADER_BYTES, HEADER_BYTES, optional=True)),
        (b"message", Blob(MAX_MESSAGE_BYTES)),
    ]
    response = [(b"epoch", Natural())]
    errors = on_wire(StaleKey, CannotOpen, Misbehaved, Busy, TryElsewhere, InternalError)
