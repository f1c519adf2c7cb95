"""A member's rules for sets: add, list, mark, bury, collect, look."""

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration
from p2pchat.replication.ground import Added, Event, Ground
from p2pchat.replication.requests import (
    MAX_IDS,
    PAGE_BYTES,
    AddRequest,
    BuryRequest,
    CollectRequest,
    Known,
    ListRequest,
    LookRequest,
    MarkRequest,
    SetReply,
    Status,
)
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.replication.store import Store, View
from p2pchat.replication.uset import (
    ID_BYTES,
    MAX_ITEMS,
    MAX_SET_BYTES,
    Item,
    ItemState,
    StoredItem,
    check_item,
)

LISTED = 1_000
ITEM_FRAME_BYTES = 64


class SetKeeper:
    """Answers about sets; fences are compared with the registers that this member accepted."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def add(self, store: Store, request: AddRequest, now: float, events: list[Event]) -> SetReply:
        """Keep items that are not known yet."""
        _check_items(request.items)
        if (refusal := self._other_epoch(store, request.point, request.epoch)) is not None:
            return refusal
        mail_key = self._value(store, request.point, KIND_MAILKEY)
        if (b"" if mail_key is None else self._ground.formats.key_id_of(mail_key)) != request.fence:
            return SetReply(Status.STALE_KEY)
        if self.is_closed(store, request.point):
            return SetReply(Status.STALE_KEY)
        fresh = [item for item in request.items if store.item(request.point, item.id) is None]
        count, size = store.measure(request.point) if fresh else (0, 0)
        if count + len(fresh) > MAX_ITEMS or size + sum(len(item.payload) for item in fresh) > MAX_SET_BYTES:
            return SetReply(Status.FULL)
        for item in fresh:
            store.put_item(request.point, StoredItem(item.id, ItemState.PRESENT, int(now), item.payload, item.meta))
        if fresh:
            events.append(Added(request.point, tuple(item.id for item in fresh)))
        return SetReply(Status.OK)

    def list(self, store: View, request: ListRequest) -> SetReply:
        """A page of ids and what is known of them."""
        if (refusal := self._other_epoch(store, request.point, request.epoch)) is not None:
            return refusal
        if self._is_replaced(store, request.point, request.fence):
            return SetReply(Status.REPLACED)
        rows = store.known(request.point, request.after, LISTED)
        return SetReply(Status.OK, known=tuple(Known(*row) for row in rows), more=len(rows) == LISTED)

    def mark(self, store: Store, request: MarkRequest) -> SetReply:
        """Note that a removal is under way, if its proof holds."""
        _check_ids(request.ids)
        if (refusal := self._other_epoch(store, request.point, request.epoch)) is not None:
            return refusal
        if self._is_replaced(store, request.point, request.fence):
            return SetReply(Status.REPLACED)
        reason = self._proven(store, request)
        if reason is None:
            return SetReply(Status.REFUSED)
        store.mark_items(request.point, request.ids)
        return SetReply(Status.OK, reason=reason)

    def bury(self, store: Store, request: BuryRequest, now: float) -> SetReply:
        """Turn items into tombstones; also those that this member never saw, so that they stay removed."""
        _check_ids(request.ids)
        if not request.reason.is_tombstone:
            raise Misbehaved("A removal without its reason was sent.")
        if (refusal := self._other_epoch(store, request.point, request.epoch)) is not None:
            return refusal
        if self._proven(store, request) is not request.reason:
            return SetReply(Status.REFUSED)
        store.bury_items(request.point, request.ids, request.reason, int(now))
        return SetReply(Status.OK)

    def collect(self, store: View, request: CollectRequest) -> SetReply:
        """Items by id, the first ones that fit into a page."""
        _check_ids(request.ids)
        if (refusal := self._other_epoch(store, request.point, request.epoch)) is not None:
            return refusal
        found: list[Item] = []
        room = PAGE_BYTES
        for item_id in request.ids:
            held = store.item(request.point, item_id)
            if held is None or held.state is not ItemState.PRESENT:
                continue
            room -= len(held.payload) + len(held.meta) + ITEM_FRAME_BYTES
            if room < 0 and found:
                return SetReply(Status.OK, items=tuple(found), more=True)
            found.append(Item(held.id, held.payload, held.meta))
        return SetReply(Status.OK, items=tuple(found))

    def look(self, store: View, request: LookRequest) -> SetReply:
        """What is known of ids."""
        _check_ids(request.ids)
        if (refusal := self._other_epoch(store, request.point, request.epoch)) is not None:
            return refusal
        held = [(item_id, store.item(request.point, item_id)) for item_id in request.ids]
        states = tuple(Known(item_id, ItemState.UNKNOWN if item is None else item.state) for item_id, item in held)
        return SetReply(Status.OK, known=states)

    def is_closed(self, store: Store, point: Identifier) -> bool:
        """Whether this member accepted the end of the account, after which no key is the right one."""
        account = self._value(store, point, KIND_ACCOUNT)
        return account is not None and self._ground.formats.is_closed(account)

    def close(self, store: Store, point: Identifier) -> int:
        """Bury what lies in the set of an account that was deleted, as a majority confirmed; how much it was."""
        if not self.is_closed(store, point):
            return 0
        buried, after = 0, b""
        while rows := store.items(point, point, (point, after), LISTED):
            after = rows[-1][1].id
            for item in (item for _, item in rows if not item.state.is_tombstone):
                store.put_item(point, item.buried(ItemState.UNOPENABLE))
                buried += 1
        return buried

    def _proven(self, store: Store, request: MarkRequest | BuryRequest) -> ItemState | None:
        """What the tombstones of a removal say; None when its proof does not ask for it."""
        session = self._value(store, request.point, KIND_SESSION) or b""
        try:
            return self._ground.formats.check_removal(session, request.proof, request.ids)
        except Misbehaved:
            return None

    def _value(self, store: View, point: Identifier, kind: int) -> bytes | None:
        register = store.register(RegisterKey(point, kind))
        return None if register is None else register.content.value

    def _is_replaced(self, store: View, point: Identifier, fence: int) -> bool:
        session = self._value(store, point, KIND_SESSION)
        return session is not None and self._ground.formats.fence_of(session) > fence

    def _other_epoch(self, store: View, point: Identifier, epoch: int) -> SetReply | None:
        record = self._ground.record(store, self._ground.slot_of(point))
        if record is not None and record.serves(epoch):
            return None
        known: Configuration | None = None if record is None else record.newest
        return SetReply(Status.WRONG_EPOCH, known)


def _check_ids(ids: tuple[bytes, ...]) -> None:
    if len(ids) > MAX_IDS or any(len(item_id) != ID_BYTES for item_id in ids):
        raise Misbehaved("A list of items beyond its limits was sent.")


def _check_items(items: tuple[Item, ...]) -> None:
    _check_ids(tuple(item.id for item in items))
    for item in items:
        check_item(item)
    if len({item.id for item in items}) != len(items):
        raise Misbehaved("An item was sent twice in one request.")
