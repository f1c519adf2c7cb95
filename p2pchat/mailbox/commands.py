"""AMP commands about mail at rest: agent to gateway, gateway to agent, node to node.

Envelopes are sealed by the sender's agent; nodes see their length, key id and identifier, nothing else.
"""

from twisted.protocols import amp

from p2pchat.errors import (
    Busy,
    DiskFull,
    InternalError,
    Misbehaved,
    Moving,
    NoNodeReachable,
    NoQuorum,
    NotLoggedIn,
    SessionReplaced,
    SlowedDown,
    StaleKey,
    TryElsewhere,
    UnknownOutcome,
    UnknownUser,
    UserError,
    on_wire,
)
from p2pchat.wire.arguments import Blob, Flag, IdentifierArgument, Natural, Text

MAX_USER_BYTES = 128
MAX_ENVELOPE_BYTES = 60_500
"""A text of 48 KiB, padded and sealed, has 60,002."""
KEY_ID_BYTES = 16
ENVELOPE_ID_BYTES = 32
SIGNATURE_BYTES = 64
CURSOR_BYTES = 64
MAX_PAGE_ENVELOPES = 50
MAX_PAGE_BYTES = 60_500
MAX_IDS = 500
MAX_PROOF_BYTES = 30_000

_READING = (TryElsewhere, NoQuorum, Moving, Busy, NoNodeReachable, DiskFull, InternalError, Misbehaved)

PRESENT, ACKNOWLEDGED, UNOPENABLE, UNKNOWN = "present", "acknowledged", "unopenable", "unknown"


class Deposit(amp.Command):
    """Store an envelope for `user`; durable at a majority of the members when this answers.

    StaleKey: `key_id` is no longer current; read the records and seal anew.  SlowedDown: the mailbox is full.
    Depositing the same envelope again adds nothing.
    """

    arguments = [
        (b"user", Text(MAX_USER_BYTES)),
        (b"key_id", Blob(KEY_ID_BYTES)),
        (b"envelope", Blob(MAX_ENVELOPE_BYTES)),
    ]
    response = [(b"copies", Natural()), (b"wanted", Natural())]
    errors = on_wire(StaleKey, SlowedDown, UnknownUser, UserError, UnknownOutcome, *_READING)


class Fetch(amp.Command):
    """A page of the caller's own mailbox, in the order of `cursor`; an empty cursor begins.

    Signed by the session key: crypto.proofs.SignedRequest, command "fetch", arguments = the cursor.
    `more`: ask again with the cursor returned.  An envelope stays until it is acknowledged.
    """

    arguments = [
        (b"user", Text(MAX_USER_BYTES)),
        (b"epoch", Natural()),
        (b"sequence", Natural()),
        (b"counter", Natural()),
        (b"cursor", Blob(CURSOR_BYTES)),
        (b"signature", Blob(SIGNATURE_BYTES)),
    ]
    response = [
        (b"envelopes", amp.AmpList([(b"id", Blob(ENVELOPE_ID_BYTES)), (b"envelope", Blob(MAX_ENVELOPE_BYTES))])),
        (b"cursor", Blob(CURSOR_BYTES)),
        (b"more", Flag()),
    ]
    errors = on_wire(SessionReplaced, NotLoggedIn, UnknownUser, UserError, *_READING)


class Acknowledge(amp.Command):
    """The session's agent holds envelopes on its disk, or can never open them; they leave the ring.

    `proof` is an encoded crypto.proofs.Acknowledgement of at most 500 envelope ids.  Repeating it is harmless.
    """

    arguments = [(b"proof", Blob(MAX_PROOF_BYTES))]
    errors = on_wire(SessionReplaced, NotLoggedIn, UnknownUser, UserError, UnknownOutcome, *_READING)


class AskState(amp.Command):
    """What became of an envelope: present, acknowledged, unopenable or unknown."""

    arguments = [(b"user", Text(MAX_USER_BYTES)), (b"envelope_id", Blob(ENVELOPE_ID_BYTES))]
    response = [(b"state", Text(16)), (b"copies", Natural()), (b"wanted", Natural())]
    errors = on_wire(UnknownUser, UserError, *_READING)


class MailArrived(amp.Command):
    """Gateway to agent: the mailbox changed; fetch.  `version` is the one that heartbeat answers carry."""

    arguments = [(b"user", Text(MAX_USER_BYTES)), (b"version", Natural())]
    errors = on_wire(TryElsewhere, InternalError)


class PushMail(amp.Command):
    """Owner to the recipient's gateway, after an envelope was added."""

    arguments = [(b"account", IdentifierArgument()), (b"version", Natural())]
    errors = on_wire(TryElsewhere, Busy, InternalError)


class NoteMail(amp.Command):
    """Gateway to owner, after it stored an envelope: the owner may not keep this mailbox itself (yet)."""

    arguments = [(b"account", IdentifierArgument()), (b"envelope_id", Blob(ENVELOPE_ID_BYTES))]
    errors = on_wire(TryElsewhere, Busy, InternalError)


class AskRoom(amp.Command):
    """Gateway to owner: how much more may a sender, known only by a pseudonym, put into this mailbox?

    `envelopes` and `size` (bytes) are what it added since the gateway asked last; the answer holds for 10 seconds.
    SlowedDown: it fills half of the mailbox.
    """

    arguments = [
        (b"account", IdentifierArgument()),
        (b"sender", Blob(32)),
        (b"envelopes", Natural()),
        (b"size", Natural()),
    ]
    response = [(b"envelopes", Natural()), (b"size", Natural())]
    errors = on_wire(SlowedDown, TryElsewhere, Busy, InternalError)
