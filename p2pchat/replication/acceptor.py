"""A member's rules for registers: prepare, accept, read."""

from p2pchat.errors import Conflict, Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.ground import Changed, Event, Ground, check_ballot
from p2pchat.replication.register import (
    EMPTY,
    MAX_VALUE_BYTES,
    OPERATION_BYTES,
    OPERATIONS_KEPT,
    Versioned,
    accept,
    check_successor,
    promise,
)
from p2pchat.replication.requests import AcceptRequest, PrepareRequest, ReadRequest, RegisterReply, Status
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.replication.store import Store, View


class Acceptor:
    """Answers about registers; a refusal by epoch changes nothing."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def prepare(self, store: Store, caller: Identifier, request: PrepareRequest) -> RegisterReply:
        """Promise a ballot."""
        check_ballot(request.ballot, caller, request.ballot.epoch)
        if (refusal := self._other_epoch(store, request.key, request.ballot.epoch)) is not None:
            return refusal
        held = store.register(request.key) or EMPTY
        promised = promise(held, request.ballot)
        if promised is None:
            return RegisterReply(Status.OUTBID, ballot=held.promised)
        store.put_register(request.key, promised)
        return RegisterReply(Status.OK, ballot=held.accepted, content=held.content)

    def accept(self, store: Store, caller: Identifier, request: AcceptRequest, events: list[Event]) -> RegisterReply:
        """Accept a value that follows from the one held here."""
        check_ballot(request.ballot, caller, request.ballot.epoch)
        check_content(request.content)
        _check_following(request, caller)
        if (refusal := self._other_epoch(store, request.key, request.ballot.epoch)) is not None:
            return refusal
        held = store.register(request.key) or EMPTY
        accepted = accept(held, request.ballot, request.content, request.following)
        if accepted is None:
            return RegisterReply(Status.OUTBID, ballot=held.promised)
        try:
            self.judge(request.key, held.content, request.content)
            if request.content.value is not None and request.content != held.content:
                self._ground.formats.check_times(request.key.kind, held.content.value, request.content.value)
            self.check_owner(store, request.key, request.content)
        except (Misbehaved, Conflict) as error:
            return RegisterReply(Status.REFUSED, reason=str(error).encode())
        store.put_register(request.key, accepted)
        if request.content.value != held.content.value:
            events.append(Changed(request.key, request.content.value))
        return RegisterReply(Status.OK)

    def read(self, store: View, request: ReadRequest) -> RegisterReply:
        """Say what was accepted."""
        if (refusal := self._other_epoch(store, request.key, request.epoch)) is not None:
            return refusal
        held = store.register(request.key) or EMPTY
        return RegisterReply(Status.OK, ballot=held.accepted, content=held.content)

    def judge(self, key: RegisterKey, held: Versioned, proposed: Versioned) -> None:
        """Raise Misbehaved or Conflict unless `proposed` may follow."""
        validate = self._ground.formats.validators.get(key.kind)
        if validate is not None:
            check_successor(validate, held, proposed)
        if proposed.value is not None and proposed != held:
            self._ground.formats.check_place(key, proposed.value)

    def check_owner(self, store: Store, key: RegisterKey, proposed: Versioned) -> None:
        """Raise Misbehaved for a session or mail key of somebody else than the account that this member holds, if any.

        To refuse is always safe: it is as if the message had been lost.
        """
        if key.kind not in (KIND_SESSION, KIND_MAILKEY) or proposed.value is None:
            return
        account = store.register(RegisterKey(key.point, KIND_ACCOUNT))
        if account is not None and account.content.value is not None:
            self._ground.formats.check_owner(key, proposed.value, account.content.value)

    def _other_epoch(self, store: View, key: RegisterKey, epoch: int) -> RegisterReply | None:
        record = self._ground.record(store, self._ground.slot_of(key.point))
        if record is not None and record.serves(epoch):
            return None
        return RegisterReply(Status.WRONG_EPOCH, None if record is None else record.newest)


def _check_following(request: AcceptRequest, caller: Identifier) -> None:
    if request.following is not None:
        check_ballot(request.following, caller, request.ballot.epoch)
        if request.following <= request.ballot:
            raise Misbehaved("A ballot that does not follow was sent.")


def check_content(content: Versioned) -> None:
    """Misbehaved for a content larger than any sound node sends."""
    too_long = content.value is not None and len(content.value) > MAX_VALUE_BYTES
    marks = content.operations
    if content.value is None and content.version:
        raise Misbehaved("A register that lost its value was sent.")
    if too_long or len(marks) > OPERATIONS_KEPT or any(len(mark) != OPERATION_BYTES for mark in marks):
        raise Misbehaved("A register's value beyond its limits was sent.")
