"""AMP commands about a ring for whoever runs it: over `admin.sock`, and on the ring port with an operator certificate.

The same questions go from node to node, where only AskStatus is answered.
"""

from twisted.protocols import amp

from p2pchat.errors import (
    Busy,
    Conflict,
    Damaged,
    DiskFull,
    InternalError,
    LookupFailed,
    Misbehaved,
    Moving,
    NoQuorum,
    StaleKey,
    TryElsewhere,
    UnknownOutcome,
    UserError,
    on_wire,
)
from p2pchat.server.passing import MAX_PASSING_BYTES
from p2pchat.wire.arguments import Blob, Flag, IdentifierArgument, IdentifiersArgument, Natural, Real, Text
from p2pchat.wire.bulletins import MAX_BULLETIN_BYTES, PART_BYTES

MAX_USER_BYTES = 128
MAX_PAGE_NODES = 25
MAX_PAGE_USERS = 300
MAX_KNOWN = 2_000
MAX_RECORD_BYTES = 60_000
MAX_META_BYTES = 512
MAX_WHY_BYTES = 1_000

_READING = (TryElsewhere, NoQuorum, Moving, Busy, InternalError, Misbehaved)
STATUS = [
    (b"node", IdentifierArgument()),
    (b"address", Text(300)),
    (b"clients", Text(300)),
    (b"state", Text(16)),  # joining, ready, leaving, suspected or dead
    (b"predecessor", IdentifierArgument(optional=True)),
    (b"successors", IdentifiersArgument()),
    (b"fingers", IdentifiersArgument()),
    (b"users", Natural()),
    (b"backups", Natural()),
    (b"sessions", Natural()),
    (b"slots", Natural()),
    (b"members_least", Natural()),
    (b"members_wanted", Natural()),
    (b"deficit", Natural()),
    (b"lookups", Blob(MAX_PASSING_BYTES, optional=True)),  # server/passing.py; what a node does not say is none
    (b"passed_over", IdentifiersArgument(optional=True)),
]


class AskStatus(amp.Command):
    """How is this one node?"""

    response = STATUS
    errors = on_wire(*_READING)


class AskClock(amp.Command):
    """What time is it at your place?  Milliseconds since 1970."""

    response = [(b"now", Natural())]
    errors = on_wire(TryElsewhere, InternalError)


class AskHealth(amp.Command):
    """Are you ready, and if not, why?  Only on the socket of the node's own folder.

    `ahead` is by how many milliseconds this machine's clock is ahead of (below 0: behind) the median of `compared`
    other nodes' clocks.
    """

    response = [
        (b"why", Text(MAX_WHY_BYTES)),
        (b"ahead", Real()),
        (b"compared", Natural()),
    ]
    errors = on_wire(TryElsewhere, InternalError)


class AskRing(amp.Command):
    """How is every node that is known here?  The node asks each; `next` = 0 ends the pages."""

    arguments = [(b"after", Natural())]
    response = [(b"nodes", amp.AmpList(STATUS)), (b"next", Natural())]
    errors = on_wire(*_READING)


class AskTrace(amp.Command):
    """The way to a user's (canonical name) or an identifier's (hex digits) slot, and who holds it."""

    arguments = [(b"target", Text(MAX_USER_BYTES))]
    response = [
        (b"identifier", IdentifierArgument()),
        (b"hops", amp.AmpList([(b"node", IdentifierArgument()), (b"milliseconds", Real(optional=True))])),
        (b"slot", Natural()),
        (b"epoch", Text(64)),
        (b"members", IdentifiersArgument()),
        (b"owner", IdentifierArgument()),
        (b"copies", Natural()),
    ]
    errors = on_wire(UserError, LookupFailed, *_READING)


class TakeEvictions(amp.Command):
    """A signed list of evictions.  The number of the newest list known now, and how many other nodes are told of it."""

    arguments = [(b"evictions", Blob())]
    response = [(b"number", Natural()), (b"told", Natural())]
    errors = on_wire(UserError, DiskFull, *_READING)


class Drain(amp.Command):
    """Hand everything over to other nodes, then leave and end; ask again until no slot is left.

    Only on the socket of the node's own folder.
    """

    response = [(b"left", Natural())]
    errors = on_wire(UserError, *_READING)


class Drained(amp.Command):
    """From node to node: the caller holds nothing any more and leaves for good."""

    errors = on_wire(TryElsewhere, InternalError)


class RestoreRegister(amp.Command):
    """A record of a backup; created, same, newer or other, as server/restoring.py says.

    Only on the socket of the node's own folder, as RestoreItem.
    """

    arguments = [(b"point", IdentifierArgument()), (b"kind", Natural(255)), (b"value", Blob(MAX_RECORD_BYTES))]
    response = [(b"outcome", Text(16))]
    errors = on_wire(UserError, DiskFull, UnknownOutcome, Conflict, *_READING)


class RestoreItem(amp.Command):
    """An envelope of a backup, for the mailbox at `point`."""

    arguments = [
        (b"point", IdentifierArgument()),
        (b"item", Blob(32, 32)),
        (b"payload", Blob()),
        (b"meta", Blob(MAX_META_BYTES)),
    ]
    errors = on_wire(UserError, DiskFull, UnknownOutcome, StaleKey, *_READING)


class AskKnown(amp.Command):
    """From node to node: a page of the nodes that the callee knows, ascending, after one; and what it knows else.

    `drained` are nodes that left for good and held nothing.  `generation` is the ring's.
    """

    arguments = [(b"after", IdentifierArgument(optional=True))]
    response = [
        (b"nodes", IdentifiersArgument(MAX_KNOWN)),
        (b"more", Flag()),
        (b"drained", IdentifiersArgument()),
        (b"generation", Natural()),
    ]
    errors = on_wire(TryElsewhere, InternalError)


class SealSlots(amp.Command):
    """From node to node, an order of the authority: serve no earlier generation; a part of what the callee has."""

    arguments = [(b"order", Blob()), (b"offset", Natural(MAX_BULLETIN_BYTES))]
    response = [(b"total", Natural(MAX_BULLETIN_BYTES)), (b"part", Blob(PART_BYTES))]
    errors = on_wire(DiskFull, Damaged, *_READING)


class AskSurvivors(amp.Command):
    """Who answers, besides nodes that are given up; `missing` are known and do not."""

    arguments = [(b"given_up", IdentifiersArgument())]
    response = [
        (b"survivors", IdentifiersArgument()),
        (b"missing", IdentifiersArgument()),
        (b"drained", IdentifiersArgument()),
        (b"generation", Natural()),
    ]
    errors = on_wire(*_READING)


class SealRing(amp.Command):
    """Have every survivor seal, and draft a plan: its size in bytes, slots of which nobody has anything, and slots
    whose last changes may be lost."""

    arguments = [(b"order", Blob())]
    response = [(b"total", Natural()), (b"empty", Natural()), (b"doubtful", Natural())]
    errors = on_wire(UserError, DiskFull, *_READING)


class AskDraft(amp.Command):
    """A part of the drafted plan."""

    arguments = [(b"offset", Natural(MAX_BULLETIN_BYTES))]
    response = [(b"part", Blob(PART_BYTES))]
    errors = on_wire(UserError, *_READING)


class TakePlan(amp.Command):
    """The signature under the drafted plan, and the certificate that proves it; everybody goes on as planned."""

    arguments = [(b"signature", Blob(64, 64)), (b"signer", Blob())]
    response = [(b"generation", Natural())]
    errors = on_wire(UserError, DiskFull, *_READING)


class AskUsers(amp.Command):
    """Names of accounts that this node keeps, in order, after the name given; an empty page ends."""

    arguments = [(b"after", Text(MAX_USER_BYTES))]
    response = [
        (
            b"users",
            amp.AmpList([(b"name", Text(MAX_USER_BYTES)), (b"owner", IdentifierArgument()), (b"owned", Flag())]),
        )
    ]
    errors = on_wire(*_READING)
