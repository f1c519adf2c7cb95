"""Commands of the agent's control socket: what the command line and the chat screen may ask.

The socket is AMP over UNIX, `agent.sock` in the home (or the path in `agent.path`); who can open it is the person.
Rows are JSON objects exactly as the command line prints them, so that a caller passes them on as they are:

* account    `{"user","fingerprint","ring","node"}` and, once, `"recovery_key"`
* session    `{"user","state","epoch","node","handover":{"state","messages","total"}}`; a replaced one also has
             `"replaced":{"epoch","at","node"}` (times ISO 8601 UTC; what is not known is null)
* message    `{"id","from","to","text","sent_at","received_at","state","copies"}`; a stranger's also `"request": true`,
             a reply also `"reply_to"`, an id, and where that message is here `"quoted":{"from","text"}`, its beginning
* sent       `{"id","to","state","copies"}`
* chat       `{"user","unread","last": message or null}` and, where there is one, `"draft"` and `"request": true`
* person     `{"user","presence","last_seen","fingerprint","verified"}`; in `contacts` also `"blocked": true`,
             `"request": true`, `"key_changed": true` (nothing is sent until digits were compared) and
             `"key_renewed": true` (by its owner; until digits were compared) where they hold
* connection `{"user","state","home","ring","node","connected","nodes":[HOST:PORT…],"listen","pid","version"}`
* step       one line of a delivery trace: `{"at","step","way","node","copies","wanted","outcome"}`
* event      what `Follow` pushes: `{"event":"message",…message,"chat":USER}`, `{"event":"receipt",…sent}`,
             `{"event":"presence",…person}`, `{"event":"session",…session}`, and for what was written here, so that
             every screen of this home shows it, `{"event":"sent",…message,"chat":USER}`
"""

from twisted.protocols import amp

from p2pchat.client.arguments import Row, Rows
from p2pchat.errors import (
    Busy,
    Conflict,
    Damaged,
    DiskFull,
    InternalError,
    Misbehaved,
    NameTaken,
    NoNodeReachable,
    NoQuorum,
    NotLoggedIn,
    P2PChatError,
    RingUnknown,
    SessionReplaced,
    SlowedDown,
    TimedOut,
    TryElsewhere,
    UnknownOutcome,
    UnknownUser,
    UserError,
    WrongCredentials,
    on_wire,
)

MAX_TEXT_BYTES = 48 * 1024
"""Longest text of a message, in UTF-8."""
PAGE_BYTES = 48 * 1024
"""A page of rows ends with the row that passes this many bytes of JSON."""
MAX_PAGE_ROWS = 500
DEFAULT_TIMEOUT_SECONDS = 30.0

WAITS = ("queued", "stored", "delivered")
"""What `Send` can wait for, in the order in which it comes to pass."""
STATES = ("queued", "stored", "delivered", "read")
"""States of a message that one has sent, in order; beside them `failed`."""

ERRORS = on_wire(
    P2PChatError,
    UserError,
    RingUnknown,
    WrongCredentials,
    UnknownUser,
    NameTaken,
    NotLoggedIn,
    SessionReplaced,
    SlowedDown,
    Conflict,
    UnknownOutcome,
    TimedOut,
    TryElsewhere,
    NoNodeReachable,
    NoQuorum,
    Busy,
    DiskFull,
    InternalError,
    Misbehaved,
    Damaged,
)
"""Each command may end in each of them: most depend on the ring behind the agent."""

TIMEOUT = (b"timeout", amp.Float(optional=True))
"""Seconds the agent may spend, DEFAULT_TIMEOUT_SECONDS unless told; the caller waits a little longer than that."""


class Register(amp.Command):
    """Make an account and log in; again in the same home, it resumes an attempt that ended with 6, 7, 9 or 10."""

    arguments = [(b"user", amp.Unicode()), (b"password", amp.Unicode()), TIMEOUT]
    response = [(b"account", Row())]
    errors = ERRORS


class Login(amp.Command):
    """Log in by name and password; with `--ask-password` it also unlocks the session that this home already has."""

    arguments = [
        (b"user", amp.Unicode()),
        (b"password", amp.Unicode()),
        TIMEOUT,
        (b"handover", amp.Boolean(optional=True)),
    ]
    response = [(b"account", Row())]
    errors = ERRORS


class Logout(amp.Command):
    """End the session and delete the keys of this home; history stays."""

    arguments = [TIMEOUT]
    response = [(b"account", Row())]
    errors = ERRORS


class ChangePassword(amp.Command):
    """Change the password; the identity stays, the mail key is renewed."""

    arguments = [(b"old", amp.Unicode()), (b"new", amp.Unicode()), TIMEOUT]
    response = [(b"account", Row())]
    errors = ERRORS


class Rekey(amp.Command):
    """A new identity, signed by the one until now, with a new recovery key; contacts are told."""

    arguments = [(b"password", amp.Unicode()), TIMEOUT]
    response = [(b"account", Row())]
    errors = ERRORS


class OpenHistory(amp.Command):
    """Open this home's encrypted history with the password, to be read; no session begins by that."""

    arguments = [(b"password", amp.Unicode()), TIMEOUT]
    response = [(b"account", Row())]
    errors = ERRORS


class Recover(amp.Command):
    """Set a new password by the recovery key and log in."""

    arguments = [(b"user", amp.Unicode()), (b"recovery_key", amp.Unicode()), (b"password", amp.Unicode()), TIMEOUT]
    response = [(b"account", Row())]
    errors = ERRORS


class Unregister(amp.Command):
    """Delete the account; its name stays closed for 30 days.  The answer's `history` is the file that is kept."""

    arguments = [(b"user", amp.Unicode()), (b"password", amp.Unicode()), TIMEOUT]
    response = [(b"account", Row())]
    errors = ERRORS


class Session(amp.Command):
    """The session of this home, in whatever state."""

    response = [(b"session", Row())]
    errors = ERRORS


class Send(amp.Command):
    """Send a text; the answer comes as soon as `wait` (one of WAITS) is reached, or when the time is over.

    `reply_to` is the id of the message in this chat that the text answers.
    `status` is the exit status: 0 when `wait` is reached, else that of the reason, which `reason` says in one line.
    """

    arguments = [
        (b"to", amp.Unicode()),
        (b"text", amp.Unicode()),
        (b"wait", amp.Unicode(optional=True)),
        TIMEOUT,
        (b"reply_to", amp.Unicode(optional=True)),
    ]
    response = [(b"sent", Row()), (b"status", amp.Integer()), (b"reason", amp.Unicode())]
    errors = ERRORS


class History(amp.Command):
    """Messages with `user`, oldest first: the last `limit` ones, before message `before`, that contain `search`.

    A page may hold fewer than `limit`; while `more` is true, ask again with `before` = the first id of the page.
    With `after`, the first ones after that message; then one goes on with `after` = the last id of the page.
    `shown` marks what came as read.
    """

    arguments = [
        (b"user", amp.Unicode()),
        (b"limit", amp.Integer(optional=True)),
        (b"before", amp.Unicode(optional=True)),
        (b"search", amp.Unicode(optional=True)),
        (b"shown", amp.Boolean(optional=True)),
        (b"after", amp.Unicode(optional=True)),
    ]
    response = [(b"messages", Rows()), (b"more", amp.Boolean())]
    errors = ERRORS


class MarkRead(amp.Command):
    """The person has seen all of the chat with `user` up to message `id` (all, when it is absent)."""

    arguments = [(b"user", amp.Unicode()), (b"id", amp.Unicode(optional=True))]
    errors = ERRORS


class MarkUnread(amp.Command):
    """What came from `user` since message `id` (the last one, when it is absent) counts as not seen yet."""

    arguments = [(b"user", amp.Unicode()), (b"id", amp.Unicode(optional=True))]
    errors = ERRORS


class Chats(amp.Command):
    """All chats, the latest first, beginning after `skip` of them."""

    arguments = [(b"skip", amp.Integer(optional=True))]
    response = [(b"chats", Rows()), (b"more", amp.Boolean())]
    errors = ERRORS


class SetDraft(amp.Command):
    """Keep what was typed and not sent; an empty text removes it."""

    arguments = [(b"user", amp.Unicode()), (b"text", amp.Unicode())]
    errors = ERRORS


class Status(amp.Command):
    """A person, asked on the ring.  UnknownUser when no account has the name."""

    arguments = [(b"user", amp.Unicode()), TIMEOUT]
    response = [(b"person", Row())]
    errors = ERRORS


class Connection(amp.Command):
    """The agent itself: session, ring and gateway; answered at once, also while no node is reachable."""

    response = [(b"connection", Row())]
    errors = ERRORS


class Follow(amp.Command):
    """From now on, call `Happened` on this link for each event."""

    errors = ERRORS


class Happened(amp.Command):
    """Agent to follower: one event.  Who leaves too many unanswered is cut off."""

    arguments = [(b"event", Row())]
    errors = ERRORS


class Why(amp.Command):
    """What was done for the message `id`: each attempt, hop and copy, in the order of time."""

    arguments = [(b"id", amp.Unicode())]
    response = [(b"message", Row()), (b"steps", Rows())]
    errors = ERRORS


class Retry(amp.Command):
    """Try at once to send the message `id`, which is queued or has failed; without `id`, all that is queued."""

    arguments = [(b"id", amp.Unicode(optional=True))]
    errors = ERRORS


class Cancel(amp.Command):
    """Do not send the message `id`: only while it is queued and no attempt is under way.

    `attempts` went before; if one of them reached the ring without an answer, the message arrives all the same and
    counts as sent again.
    """

    arguments = [(b"id", amp.Unicode())]
    response = [(b"attempts", amp.Integer())]
    errors = ERRORS


class Contacts(amp.Command):
    """All contacts, requests and blocked people, by name, beginning after `skip` of them."""

    arguments = [(b"skip", amp.Integer(optional=True))]
    response = [(b"people", Rows()), (b"more", amp.Boolean())]
    errors = ERRORS


class Add(amp.Command):
    """Make `user` a contact; accepts a request, too."""

    arguments = [(b"user", amp.Unicode()), TIMEOUT]
    response = [(b"person", Row())]
    errors = ERRORS


class Verify(amp.Command):
    """The digits to compare with `user`; with `matched` true the pin counts as verified, with false no longer.

    `person` also has `"digits"` (12 groups of 5, theirs) and `"own_digits"` (ours).  After a key change
    `matched` true accepts the new key.
    """

    arguments = [(b"user", amp.Unicode()), (b"matched", amp.Boolean(optional=True)), TIMEOUT]
    response = [(b"person", Row())]
    errors = ERRORS


class Block(amp.Command):
    """Drop everything from `user` from now on, and stop telling them where we are."""

    arguments = [(b"user", amp.Unicode()), TIMEOUT]
    response = [(b"person", Row())]
    errors = ERRORS


class Unblock(amp.Command):
    """Take a block back."""

    arguments = [(b"user", amp.Unicode()), TIMEOUT]
    response = [(b"person", Row())]
    errors = ERRORS


class Export(amp.Command):
    """A page of the whole history after row `after` (0 at first); while `more` is true, ask again with the new `after`.

    Rows are messages with what `Import` needs beside: `"chat"`, `"order"`.
    """

    arguments = [(b"after", amp.Integer())]
    response = [(b"messages", Rows()), (b"after", amp.Integer()), (b"more", amp.Boolean())]
    errors = ERRORS


class Import(amp.Command):
    """Add exported messages; those that are here already are counted out of `added`.  At most MAX_PAGE_ROWS a call."""

    arguments = [(b"messages", Rows())]
    response = [(b"added", amp.Integer())]
    errors = ERRORS


class Settings(amp.Command):
    """Change what is given and tell what stands: `{"visible_to","read_receipts","handover"}`.

    `visible_to` is everyone, contacts or nobody; `read_receipts` true or false; `handover` always, ask or never.
    """

    arguments = [(b"changes", Row(optional=True))]
    response = [(b"settings", Row())]
    errors = ERRORS


class Stop(amp.Command):
    """End the agent's process after the answer, as SIGTERM does."""

    errors = ERRORS
