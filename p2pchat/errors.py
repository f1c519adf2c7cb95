"""Everything p2pchat raises on purpose, sorted by who must act.

AMP carries a code and one text, so each class is made from one string: it says what happened and what to do
next, and is shown as it stands.  `exit_status` is what the p2pchat command exits with when nothing caught it.
"""

from typing import ClassVar


class P2PChatError(Exception):
    """Everything p2pchat raises on purpose; str(error) is fit for a screen."""

    code: ClassVar[bytes] = b"P2PCHAT"
    exit_status: ClassVar[int] = 1


class UserError(P2PChatError):
    """The person can mend it."""

    code = b"USER"


class NotAdmitted(UserError):
    """This node has no certificate of the ring, or lost it by eviction."""

    code = b"NOT_ADMITTED"
    exit_status = 3


class RingUnknown(UserError):
    """No ring was chosen, several were heard, or the other end belongs to another ring."""

    code = b"RING_UNKNOWN"
    exit_status = 3


class WrongCredentials(UserError):
    """The password, recovery key or user name is wrong."""

    code = b"WRONG_CREDENTIALS"
    exit_status = 4


class UnknownUser(UserError):
    """No account has this name."""

    code = b"UNKNOWN_USER"
    exit_status = 4


class AccountDeleted(UnknownUser):
    """The account that had this name was deleted, as its own identity says."""

    code = b"ACCOUNT_DELETED"


class NameTaken(UserError):
    """Another account has this name (the design's EXISTS)."""

    code = b"EXISTS"
    exit_status = 5


class NotLoggedIn(UserError):
    """The agent has no session, or waits locked for its password."""

    code = b"NOT_LOGGED_IN"
    exit_status = 8


class SessionReplaced(UserError):
    """A later login elsewhere ended this session."""

    code = b"SESSION_REPLACED"
    exit_status = 8


class SlowedDown(UserError):
    """A limit was reached; the text names the seconds to wait."""

    code = b"SLOWED_DOWN"
    exit_status = 10


class Conflict(P2PChatError):
    """A compare-and-set met another value than the caller expected; read again and decide anew."""

    code = b"CONFLICT"


class StaleKey(P2PChatError):
    """Mail was sealed to a mail key that is no longer current; seal anew under the current one."""

    code = b"STALE_KEY"


class UnknownOutcome(P2PChatError):
    """A write may or may not have happened; repeating it under the same operation id is safe."""

    code = b"UNKNOWN_OUTCOME"
    exit_status = 9


class TimedOut(P2PChatError):
    """The time of a command is over; what may have been done says the text."""

    code = b"TIMED_OUT"
    exit_status = 9


class TryElsewhere(P2PChatError):
    """Another node or another moment may do."""

    code = b"TRY_ELSEWHERE"
    exit_status = 7


class NoNodeReachable(TryElsewhere):
    """None of the known nodes answers."""

    code = b"NO_NODE_REACHABLE"


class LookupFailed(TryElsewhere):
    """No owner was found; the ring is changing."""

    code = b"LOOKUP_FAILED"


class Moving(TryElsewhere):
    """The slot's members change at this moment; trying again at once is right."""

    code = b"MOVING"


class NoQuorum(TryElsewhere):
    """Too few members answer: the operation was certainly not done."""

    code = b"NO_QUORUM"
    exit_status = 6


class Busy(TryElsewhere):
    """The other end has too many calls under way."""

    code = b"BUSY"


class DiskFull(TryElsewhere):
    """The disk refuses writes; nothing was changed."""

    code = b"DISK_FULL"


class InternalError(TryElsewhere):
    """The other end failed in a way that it did not foresee; its log has the cause."""

    code = b"INTERNAL"


class Misbehaved(P2PChatError):
    """The other end broke the protocol, or a record does not prove what it claims."""

    code = b"MISBEHAVED"


class CannotOpen(Misbehaved):
    """A sealed envelope or box does not open; the outside never learns which step failed."""

    code = b"CANNOT_OPEN"


class Damaged(P2PChatError):
    """A file on disk is not what was written; it is left untouched."""

    code = b"DAMAGED"


def on_wire(*errors: type[P2PChatError]) -> dict[type[Exception], bytes]:
    """For `Command.errors`: most special first, because AMP takes the first that fits."""
    return {each: each.code for each in sorted(errors, key=lambda each: len(each.__mro__), reverse=True)}
