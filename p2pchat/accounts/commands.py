"""AMP commands about accounts and sessions: agent to gateway, gateway to agent, node to node.

`user` is always the canonical name.  Register values are those of the crypto part: account = LV(public ‖ PSS) ‖
LV(private); session = the session record; mail key = LV(current) ‖ LV(draining or empty).
"""

from twisted.protocols import amp

from p2pchat.errors import (
    Busy,
    Conflict,
    DiskFull,
    InternalError,
    Misbehaved,
    Moving,
    NameTaken,
    NoNodeReachable,
    NoQuorum,
    NotLoggedIn,
    SessionReplaced,
    SlowedDown,
    TryElsewhere,
    UnknownOutcome,
    UnknownUser,
    UserError,
    WrongCredentials,
    on_wire,
)
from p2pchat.wire.arguments import AddressesArgument, Blob, IdentifierArgument, Natural, Text

MAX_USER_BYTES = 128
MAX_ACCOUNT_BYTES = 24_000
MAX_PUBLIC_BYTES = 8_000
MAX_SESSION_BYTES = 12_000
MAX_CLOSING_BYTES = 1_600
MAX_MAIL_KEY_BYTES = 16_000
OPERATION_BYTES = 16
PROOF_BYTES = 32
SIGNATURE_BYTES = 64

BY_PASSWORD = "password"
BY_RECOVERY = "recovery"

_READING = (TryElsewhere, NoQuorum, Moving, Busy, NoNodeReachable, DiskFull, InternalError, Misbehaved)
_WRITING = (*_READING, UnknownOutcome, UserError)


class Register(amp.Command):
    """Create the account if nobody has the name, with its first session and mail key.

    Sending the same values again continues where a lost answer left off.
    """

    arguments = [
        (b"user", Text(MAX_USER_BYTES)),
        (b"account", Blob(MAX_ACCOUNT_BYTES)),
        (b"session", Blob(MAX_SESSION_BYTES)),
        (b"mail_key", Blob(MAX_MAIL_KEY_BYTES)),
        (b"operation", Blob(OPERATION_BYTES)),
    ]
    errors = on_wire(NameTaken, SlowedDown, Conflict, *_WRITING)


class AskName(amp.Command):
    """May `user` be registered, and what stands of the account that had the name before?

    NameTaken: somebody has it, or it was given up less than 30 days ago.  All empty: nobody ever had it.
    """

    arguments = [(b"user", Text(MAX_USER_BYTES))]
    response = [
        (b"account", Blob(MAX_ACCOUNT_BYTES)),  # the register's value: public, and how the account ended
        (b"session", Blob(MAX_SESSION_BYTES)),
        (b"mail_key", Blob(MAX_MAIL_KEY_BYTES)),  # the last record, without its escrow
    ]
    errors = on_wire(NameTaken, UserError, *_READING)


class AskNodes(amp.Command):
    """Where else can an agent go when this node dies?  Clients addresses of live nodes, 64 at most."""

    response = [(b"addresses", AddressesArgument())]
    errors = on_wire(*_READING)


class AskParameters(amp.Command):
    """With which salt and cost does `user` stretch the password?  Anyone may ask."""

    arguments = [(b"user", Text(MAX_USER_BYTES))]
    response = [
        (b"salt", Blob(32)),
        (b"memory_kib", Natural()),
        (b"passes", Natural()),
        (b"lanes", Natural()),
    ]
    errors = on_wire(UnknownUser, UserError, *_READING)


class Unlock(amp.Command):
    """The account with its private part, for who proves the password or the recovery key; the other registers too.

    `proof` is the auth key (`by` = password) or the recovery auth key (`by` = recovery).
    """

    arguments = [(b"user", Text(MAX_USER_BYTES)), (b"proof", Blob(PROOF_BYTES)), (b"by", Text(16))]
    response = [
        (b"account", Blob(MAX_ACCOUNT_BYTES)),
        (b"session", Blob(MAX_SESSION_BYTES)),
        (b"mail_key", Blob(MAX_MAIL_KEY_BYTES)),  # the register's value, with escrows
    ]
    errors = on_wire(WrongCredentials, SlowedDown, UnknownUser, UserError, *_READING)


class ReadRecords(amp.Command):
    """What is public about `user`; `session` and `mail_key` are empty when there is none.

    Where the account was deleted, `closing` proves it (crypto.closing.Closing), and the other two are empty.
    """

    arguments = [(b"user", Text(MAX_USER_BYTES))]
    response = [
        (b"public", Blob(MAX_PUBLIC_BYTES)),  # public ‖ PSS(public), as inside LV(…) of the account
        (b"session", Blob(MAX_SESSION_BYTES)),
        (b"mail_key", Blob(MAX_MAIL_KEY_BYTES)),  # the current record, without its escrow
        (b"closing", Blob(MAX_CLOSING_BYTES, optional=True)),
    ]
    errors = on_wire(UnknownUser, UserError, *_READING)


class ReadMailKeys(amp.Command):
    """The caller's own mail key register, with escrows: a SignedRequest of command "mail keys", arguments b""."""

    arguments = [
        (b"user", Text(MAX_USER_BYTES)),
        (b"epoch", Natural()),
        (b"sequence", Natural()),
        (b"counter", Natural()),
        (b"signature", Blob(SIGNATURE_BYTES)),
    ]
    response = [(b"mail_key", Blob(MAX_MAIL_KEY_BYTES))]
    errors = on_wire(SessionReplaced, NotLoggedIn, UnknownUser, UserError, *_READING)


class WriteSession(amp.Command):
    """Compare-and-set of the session: (e, s) to (e + 1, 0) or (e, s + 1); the old gateway is told.

    SessionReplaced: a higher epoch stands.  Conflict: read again, another record stands at this place.
    """

    arguments = [
        (b"user", Text(MAX_USER_BYTES)),
        (b"session", Blob(MAX_SESSION_BYTES)),
        (b"operation", Blob(OPERATION_BYTES)),
    ]
    errors = on_wire(Conflict, SessionReplaced, UnknownUser, *_WRITING)


class WriteMailKey(amp.Command):
    """Compare-and-set of the mail key register; its new value must follow the stored one."""

    arguments = [
        (b"user", Text(MAX_USER_BYTES)),
        (b"mail_key", Blob(MAX_MAIL_KEY_BYTES)),
        (b"operation", Blob(OPERATION_BYTES)),
    ]
    errors = on_wire(Conflict, SessionReplaced, UnknownUser, *_WRITING)


class WriteAccount(amp.Command):
    """Next version of an account, or its end; `proof` and `by` as in Unlock, for the stored version."""

    arguments = [
        (b"user", Text(MAX_USER_BYTES)),
        (b"account", Blob(MAX_ACCOUNT_BYTES)),
        (b"proof", Blob(PROOF_BYTES)),
        (b"by", Text(16)),
        (b"operation", Blob(OPERATION_BYTES)),
    ]
    errors = on_wire(Conflict, WrongCredentials, SlowedDown, UnknownUser, *_WRITING)


class SessionChanged(amp.Command):
    """Gateway to agent: this session record of yours stands now.  Believe nothing but its signatures."""

    arguments = [(b"user", Text(MAX_USER_BYTES)), (b"session", Blob(MAX_SESSION_BYTES))]
    errors = on_wire(Misbehaved, TryElsewhere, InternalError)


class AnnounceSession(amp.Command):
    """Node to the gateway named in the session before: tell its agent."""

    arguments = SessionChanged.arguments
    errors = on_wire(Misbehaved, TryElsewhere, Busy, InternalError)


class CountTry(amp.Command):
    """Gateway to owner, before a password is checked: counts as wrong until it is forgiven.

    SlowedDown: five were wrong in a row; the text names the seconds to wait.
    """

    arguments = [(b"account", IdentifierArgument())]
    errors = on_wire(SlowedDown, TryElsewhere, Busy, InternalError)


class ForgiveTries(amp.Command):
    """Gateway to owner: the password was right."""

    arguments = [(b"account", IdentifierArgument())]
    errors = on_wire(TryElsewhere, Busy, InternalError)
