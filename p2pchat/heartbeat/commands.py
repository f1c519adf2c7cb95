"""AMP commands about presence: agent to gateway, gateway to agent, gateway to owner and back."""

from twisted.protocols import amp

from p2pchat.errors import (
    Busy,
    InternalError,
    Misbehaved,
    Moving,
    NoNodeReachable,
    NoQuorum,
    NotLoggedIn,
    SessionReplaced,
    SlowedDown,
    TryElsewhere,
    UnknownUser,
    UserError,
    on_wire,
)
from p2pchat.wire.arguments import Blob, IdentifierArgument, IdentifiersArgument, Natural, Text, Texts

MAX_USER_BYTES = 128
SIGNATURE_BYTES = 64
SEEN_KEY_BYTES = 32
MAX_WATCHED_AT_ONCE = 200
MAX_BEATS_AT_ONCE = 100
MAX_ACCOUNTS_AT_ONCE = 500
BEAT_SECONDS = 5.0
OFFLINE_SECONDS = 15.0

ONLINE, OFFLINE, UNKNOWN = "online", "offline", "unknown"
VISIBLE, CONTACTS, INVISIBLE, LEAVING = "visible", "contacts", "invisible", "leaving"

_READING = (TryElsewhere, NoQuorum, Moving, Busy, NoNodeReachable, InternalError, Misbehaved)
_BEAT = [
    (b"user", Text(MAX_USER_BYTES)),
    (b"epoch", Natural()),
    (b"sequence", Natural()),
    (b"counter", Natural()),
    (b"presence", Text(16)),
    (b"signature", Blob(SIGNATURE_BYTES)),
    (b"seen_key", Blob(SEEN_KEY_BYTES, SEEN_KEY_BYTES, optional=True)),
]
_PRESENCE = [
    (b"user", Text(MAX_USER_BYTES)),
    (b"presence", Text(16)),
    (b"last_seen", Natural(optional=True)),  # milliseconds since 1970
]
_KEY = [(b"account", IdentifierArgument()), (b"seen_key", Blob(SEEN_KEY_BYTES, SEEN_KEY_BYTES))]
_TOLD = [(b"account", IdentifierArgument()), (b"presence", Text(16))]
_SHOWN = [*_KEY, (b"presence", Text(16))]  # to links that have shown this key


class Beat(amp.Command):
    """I am here: every 5 seconds, a crypto.proofs.SignedRequest of command "beat", arguments = `presence`.

    `presence` is visible, contacts (visible to whoever has the seen key), invisible or leaving.  The first beat on a
    link makes it the one that pushes go to.  The answer names the session that stands and the mailbox's version: fetch
    when that differs from the last one seen.
    """

    arguments = _BEAT
    response = [(b"epoch", Natural()), (b"sequence", Natural()), (b"mailbox_version", Natural())]
    errors = on_wire(SessionReplaced, NotLoggedIn, UnknownUser, UserError, *_READING)


class Watch(amp.Command):
    """Push changes of these users' presence to this link; the answer says what is known now.

    200 users at most in one call, 2,000 for one link.  It lasts as long as the link.
    `seen_key` (lastseen.seen_key of one user's capability) shows last seen as well, to whoever has it, and the presence
    of somebody whom only contacts may see.
    """

    arguments = [
        (b"users", Texts(MAX_WATCHED_AT_ONCE, MAX_USER_BYTES)),
        (b"seen_key", Blob(SEEN_KEY_BYTES, SEEN_KEY_BYTES, optional=True)),
    ]
    response = [(b"presences", amp.AmpList(_PRESENCE))]
    errors = on_wire(SlowedDown, UserError, *_READING)


class Unwatch(amp.Command):
    """No more changes of these users to this link."""

    arguments = [(b"users", Texts(MAX_WATCHED_AT_ONCE, MAX_USER_BYTES))]
    errors = on_wire(UserError, *_READING)


class PresenceChanged(amp.Command):
    """Gateway to agent: somebody whom you watch is online, offline or unknown now."""

    arguments = _PRESENCE
    errors = on_wire(TryElsewhere, InternalError)


class ReportBeats(amp.Command):
    """Gateway to owner: beats of accounts that you own; each is answered by what stands."""

    arguments = [(b"beats", amp.AmpList(_BEAT))]
    response = [
        (
            b"answers",
            amp.AmpList(
                [
                    (b"account", IdentifierArgument()),
                    (b"epoch", Natural()),
                    (b"sequence", Natural()),
                    (b"mailbox_version", Natural()),
                ]
            ),
        )
    ]
    errors = on_wire(Misbehaved, TryElsewhere, Busy, InternalError)


class WatchAccounts(amp.Command):
    """Gateway to owner: tell me changes of these accounts for the next 60 seconds; the answer says what is known.

    `keys` are those that agents here have shown; for each that is right, `shown` has what its holders may see.
    """

    arguments = [(b"accounts", IdentifiersArgument(MAX_ACCOUNTS_AT_ONCE)), (b"keys", amp.AmpList(_KEY, optional=True))]
    response = [(b"presences", amp.AmpList(_TOLD)), (b"shown", amp.AmpList(_SHOWN, optional=True))]
    errors = on_wire(SlowedDown, TryElsewhere, Busy, InternalError)


class AskLastSeen(amp.Command):
    """Gateway to owner: when was this account seen last, by whoever has its key?"""

    arguments = [(b"account", IdentifierArgument()), (b"seen_key", Blob(SEEN_KEY_BYTES, SEEN_KEY_BYTES))]
    response = [(b"last_seen", Natural(optional=True))]  # milliseconds since 1970
    errors = on_wire(TryElsewhere, Busy, InternalError)


class AnnouncePresence(amp.Command):
    """Owner to a gateway that watches: these accounts changed; `shown` as in the answer to WatchAccounts."""

    arguments = [(b"presences", amp.AmpList(_TOLD)), (b"shown", amp.AmpList(_SHOWN, optional=True))]
    errors = on_wire(Misbehaved, TryElsewhere, Busy, InternalError)
