"""What replication is told about the records that it keeps without understanding them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from p2pchat.replication.slots import RegisterKey
from p2pchat.replication.uset import ItemState

Validator = Callable[[bytes | None, bytes], None]
"""Judges a new value against the one that a member holds (None: it holds none to compare with, then the value must
stand by itself, at whatever version); raises Misbehaved or Conflict."""


@dataclass(frozen=True, slots=True)
class Formats:
    """Judges of values.

    Attributes:
        validators: by kind of register; a kind without one accepts everything.
        check_place: raises Misbehaved when a value says that it belongs into another register.
        check_owner: (register, value, account register's value) raises Misbehaved when a session or mail key is of
            somebody else than the account at the same point.
        fence_of: the epoch in a session register's value.
        key_id_of: the id of the current key in a mail key register's value.
        check_times: (kind of register, the value that a member holds, a proposed one) raises Misbehaved where it is not
            time for the proposal by this member's own clock.  Only proposals are judged so: what other members hand
            on, their clocks have judged.
        is_closed: whether an account register's value is the end of an account, whose set takes nothing any more.
        check_removal: (session register's value, proof, ids) -> ACKNOWLEDGED or UNOPENABLE, what the tombstones
            will say; raises Misbehaved when the proof does not ask for the removal of exactly these ids.
    """

    validators: Mapping[int, Validator] = field(default_factory=dict)
    check_place: Callable[[RegisterKey, bytes], None] = lambda key, value: None
    check_owner: Callable[[RegisterKey, bytes, bytes], None] = lambda key, value, account: None
    fence_of: Callable[[bytes], int] = lambda session: 0
    key_id_of: Callable[[bytes], bytes] = lambda mail_key: b""
    check_times: Callable[[int, bytes | None, bytes], None] = lambda kind, held, proposed: None
    is_closed: Callable[[bytes], bool] = lambda account: False
    check_removal: Callable[[bytes, bytes, Sequence[bytes]], ItemState] = lambda session, proof, ids: (
        ItemState.ACKNOWLEDGED
    )
