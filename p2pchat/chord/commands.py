"""What nodes ask each other to keep the ring and the node table.

Who asks comes from TLS, never from an argument.  All of this is a hint for the one who hears it: nothing about another
node's life is believed before we have spoken with that node ourselves.
"""

from twisted.protocols import amp

from p2pchat.chord.sketch import HASH_BYTES, MAX_PARTS, SALT_BYTES
from p2pchat.crypto.noderecord import MAX_NODE_RECORD_BYTES
from p2pchat.errors import InternalError, Misbehaved, TryElsewhere, on_wire
from p2pchat.wire.arguments import (
    Blob,
    Blobs,
    Flag,
    IdentifierArgument,
    IdentifiersArgument,
    Natural,
    Text,
)

MAX_SUCCESSORS = 32
"""Entries of a successor list on the wire; ours holds 16."""
MAX_RECORDS = 15
"""Node records in one answer."""
MAX_RECORD_BYTES = MAX_NODE_RECORD_BYTES
"""One encoded node record: certificate and signed addresses."""
MAX_WORD_BYTES = 16
ENTRY_BYTES = 41
MAX_HASHES_BYTES = 10_000 * HASH_BYTES
POINT_BYTES = 8
"""The first bytes of a point, where that is near enough."""
VIEW_BYTES = 8
"""Of the hash of a view."""
MAX_MENDED, MAX_MENDED_BYTES = 60, 60_000
"""Node records in one answer to MendTables."""
MAX_ENTRIES_BYTES = 1_000 * ENTRY_BYTES
"""Table entries in one value: 1,000 of 41 bytes (identifier, sequence, state)."""

NOTHING: list[tuple[bytes, amp.Argument]] = []
ERRORS = (TryElsewhere, Misbehaved, InternalError)


class Ping(amp.Command):
    """Are you there, and how far are you: joining, leaving, or (no state) ready?"""

    arguments = NOTHING
    response = [(b"state", Text(MAX_WORD_BYTES, optional=True))]
    errors = on_wire(*ERRORS)


class AskView(amp.Command):
    """What is your place on the ring?  `pending`: ask again, mine is changing at this moment.

    A `state` other than ready: not on the ring (yet, or any more).  `known` is the hash of the view that the caller
    heard last (ring.View.hash); `same`: it still holds, and is not sent again.
    """

    arguments = [(b"known", Blob(VIEW_BYTES, VIEW_BYTES, optional=True))]
    response = [
        (b"state", Text(MAX_WORD_BYTES)),
        (b"pending", Flag()),
        (b"predecessor", IdentifierArgument(optional=True)),
        (b"successors", IdentifiersArgument(MAX_SUCCESSORS, optional=True)),
        (b"padding", Natural(MAX_SUCCESSORS, optional=True)),
        (b"same", Flag(optional=True)),
    ]
    errors = on_wire(*ERRORS)


class Notify(amp.Command):
    """I believe that I precede you."""

    arguments = NOTHING
    response = NOTHING
    errors = on_wire(*ERRORS)


class NextHop(amp.Command):
    """One step of a lookup: who owns `point`, or who precedes it more closely than you?

    `without`: nodes that did not answer the caller; the callee leaves them out (and looks after them itself).
    `owned`: the point lies between the callee and its first live successor, which is the first record (in a ring of
    one the callee itself), before some that follow it.  Otherwise the records are nodes to ask next, closest to the
    point first.
    `short`: the caller asks for the records that it lacks, the answer has identifiers (`nodes`) instead of all records.
    TryElsewhere: the callee is not on the ring.
    """

    arguments = [
        (b"point", IdentifierArgument()),
        (b"without", IdentifiersArgument(MAX_SUCCESSORS, optional=True)),
        (b"short", Flag(optional=True)),
    ]
    response = [
        (b"owned", Flag()),
        (b"records", Blobs(MAX_RECORDS, MAX_RECORD_BYTES)),
        (b"nodes", IdentifiersArgument(MAX_SUCCESSORS, optional=True)),
    ]
    errors = on_wire(*ERRORS)


class SpreadNodes(amp.Command):
    """Compare node tables: each side sends what changed in its table since the other last heard of it.

    `entries` are packed (identifier 32, sequence 8, state 1).  `incarnation` names a run of the sender's table; `until`
    is the number of the last change in `entries`; `heard_incarnation` and `heard` say up to where the caller has heard
    the callee's changes (0 at first).  `more`: the callee has more; ask again.

    `big`: the callee knows too many nodes for that; compare by CompareTables.
    """

    arguments = [
        (b"incarnation", Natural()),
        (b"until", Natural()),
        (b"entries", Blob(MAX_ENTRIES_BYTES)),
        (b"heard_incarnation", Natural()),
        (b"heard", Natural()),
    ]
    response = [
        (b"incarnation", Natural()),
        (b"until", Natural()),
        (b"entries", Blob(MAX_ENTRIES_BYTES)),
        (b"more", Flag()),
        (b"big", Flag(optional=True)),
    ]
    errors = on_wire(*ERRORS)


class CompareTables(amp.Command):
    """Do we take the same nodes for live?  `sums` are those of sketch.py under this salt.

    `unlike` are the numbers of the parts whose sums differ, a byte each; `hashes` those of the callee's nodes in them.
    """

    arguments = [
        (b"salt", Blob(SALT_BYTES, SALT_BYTES)),
        (b"sums", Blob(MAX_PARTS * HASH_BYTES, HASH_BYTES)),
    ]
    response = [(b"unlike", Blob(MAX_PARTS)), (b"hashes", Blob(MAX_HASHES_BYTES))]
    errors = on_wire(*ERRORS)


class MendTables(amp.Command):
    """What CompareTables showed to be lacking on either side.

    `entries`: nodes that the callee does not take for live (packed as in SpreadNodes); it answers with its own entries
    of those that it knows otherwise.  `lacking`: hashes of nodes whose records the caller wants; they live, as the
    callee believes.  As many come as fit, each behind its length, all deflated together; `like` and `packed`
    are as in FetchRecords.
    """

    arguments = [
        (b"salt", Blob(SALT_BYTES, SALT_BYTES)),
        (b"lacking", Blob(MAX_MENDED * HASH_BYTES)),
        (b"entries", Blob(MAX_ENTRIES_BYTES)),
        (b"like", Natural(optional=True)),
    ]
    response = [
        (b"entries", Blob(MAX_ENTRIES_BYTES)),
        (b"records", Blob(MAX_MENDED_BYTES)),
        (b"packed", Flag(optional=True)),
    ]
    errors = on_wire(*ERRORS)


class FetchRecords(amp.Command):
    """The records of these nodes, as far as the callee has them.

    `like`: the sequence of the callee's own record, as far as the caller knows; `packed` says that the records of the
    answer are deflated against that one (packing.py).
    """

    arguments = [(b"nodes", IdentifiersArgument(MAX_RECORDS)), (b"like", Natural(optional=True))]
    response = [(b"records", Blobs(MAX_RECORDS, MAX_RECORD_BYTES)), (b"packed", Flag(optional=True))]
    errors = on_wire(*ERRORS)


class AnnounceNode(amp.Command):
    """News of one node, to be passed on to the nodes between the callee and the point that begins with `until`.

    `record` is that of a node that joined, deflated against the caller's own (packing.py); `entry`, packed as in
    SpreadNodes, says what became of a node without sending its record.  One of them is there.  `unread`: the callee has
    another record of the caller, and wants an entry.
    """

    arguments = [
        (b"until", Blob(POINT_BYTES, POINT_BYTES)),
        (b"entry", Blob(ENTRY_BYTES, ENTRY_BYTES, optional=True)),
        (b"record", Blob(MAX_RECORD_BYTES, optional=True)),
    ]
    response = [(b"unread", Flag(optional=True))]
    errors = on_wire(*ERRORS)


class ProbeNode(amp.Command):
    """I cannot reach `node`: does it answer you?  The callee asks it at once, and answers within 2 seconds."""

    arguments = [(b"node", IdentifierArgument())]
    response = [(b"alive", Flag())]
    errors = on_wire(*ERRORS)


class Leave(amp.Command):
    """I am leaving the ring now."""

    arguments = NOTHING
    response = NOTHING
    errors = on_wire(*ERRORS)
