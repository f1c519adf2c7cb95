"""Operations on sets: add, fetch, remove and look, each confirmed by a majority of a slot's members."""

from collections.abc import Callable, Sequence
from functools import partial

from p2pchat.errors import (
    Misbehaved,
    NoQuorum,
    SessionReplaced,
    SlowedDown,
    StaleKey,
    TryElsewhere,
    UnknownOutcome,
)
from p2pchat.identifiers import Identifier
from p2pchat.replication.asking import Asking, Replies, Trial
from p2pchat.replication.configuration import Configuration, majority
from p2pchat.replication.coordinator import Coordinator, count, decided
from p2pchat.replication.directory import Directory
from p2pchat.replication.formats import Formats
from p2pchat.replication.listings import Listing, Listings
from p2pchat.replication.requests import (
    MAX_IDS,
    PAGE_BYTES,
    AddRequest,
    BuryRequest,
    CollectRequest,
    ListRequest,
    LookRequest,
    MarkRequest,
    SetReply,
    Status,
)
from p2pchat.replication.results import Page, Stored
from p2pchat.replication.slots import KIND_ACCOUNT, KIND_MAILKEY, KIND_SESSION, RegisterKey, slot_of
from p2pchat.replication.uset import Item, ItemState

LINGER_SECONDS = 0.25
"""How long a write waits for members beyond the majority, as long as they are believed alive."""
COLLECT_SECONDS = 2.5
REFUSALS = 3
"""Refusals of a proof after which it is the proof that is wrong, and not members that are behind."""
ITEM_FRAME_BYTES = 64

SetRequest = AddRequest | ListRequest | MarkRequest | BuryRequest | LookRequest


class SetCoordinator:
    """Runs operations on sets for this node."""

    def __init__(
        self,
        asking: Asking,
        directory: Directory,
        registers: Coordinator,
        formats: Formats,
        aim: Callable[[Configuration], int],
    ) -> None:
        """
        Args:
            aim: how many copies the ring aims at for a slot of this configuration.
        """
        self._asking, self._directory, self._registers = asking, directory, registers
        self._formats, self._aim = formats, aim
        self._listings = Listings()

    async def add(self, point: Identifier, fence: bytes, items: Sequence[Item], timeout: float) -> Stored:
        """See ReplicationService.add."""
        trial = Trial(self._asking, timeout, "Storing the message")
        stored: Stored | None = None
        for batch in batches(items):
            done = await self._add(point, fence, batch, trial)
            stored = done if stored is None or done.copies < stored.copies else stored
        return stored or Stored(0, 0)

    async def _add(self, point: Identifier, fence: bytes, items: tuple[Item, ...], trial: Trial) -> Stored:
        while True:
            configuration = await self._directory.current(self._slot(point), trial)
            if not self._is_worth_sending(configuration):
                await trial.rest()
                continue
            trial.sent = True
            request = AddRequest(point, configuration.epoch, fence, items)
            replies = await self._ask(configuration, request, trial, LINGER_SECONDS)
            if self._has_majority(replies, configuration):
                return Stored(count(replies, Status.OK), self._aim(configuration))
            if count(replies, Status.FULL):
                raise SlowedDown("The mailbox is full; try again in 3600 seconds.")
            if count(replies, Status.STALE_KEY):
                await self._check_key(point, fence)
            await self._registers.understand(self._slot(point), configuration, replies, trial)

    def _is_worth_sending(self, configuration: Configuration) -> bool:
        """Whether a majority is believed alive; a write that cannot succeed had better not leave."""
        live = sum(node == self._asking.me or self._asking.is_live(node) for node in configuration.members)
        return live >= majority(len(configuration.members))

    async def _check_key(self, point: Identifier, fence: bytes) -> None:
        try:
            value = await self._registers.agree(RegisterKey(point, KIND_MAILKEY))
            account = await self._registers.agree(RegisterKey(point, KIND_ACCOUNT))
        except (TryElsewhere, UnknownOutcome):
            return  # nobody can confirm it now; what the operation itself may have done is for its trial to say
        if (b"" if value is None else self._formats.key_id_of(value)) != fence:
            raise StaleKey("The mail key has changed; seal the message to the current one.")
        if account is not None and self._formats.is_closed(account):
            raise StaleKey("The account was deleted.")

    async def fetch(self, point: Identifier, fence: int, after: bytes, limit: int, timeout: float) -> Page:
        """See ReplicationService.fetch."""
        trial, now = Trial(self._asking, timeout, "Fetching mail"), self._asking.clock.seconds()
        kept = self._listings.take(point, fence, after, self._directory.get(self._slot(point)), now)
        while True:
            listing = kept or await self._list(point, fence, after, trial)
            ids = listing.ids[:limit]
            try:
                items = await self._collect(point, listing, ids) if ids else []
            except NoQuorum:
                if kept is None:
                    raise
                kept = None
                continue
            kept = None
            if items:
                rest = listing.behind(items[-1].id)
                self._listings.keep(point, fence, items[-1].id, rest, self._asking.clock.seconds())
                return Page(tuple(items), items[-1].id if rest.ids or rest.horizon is not None else None)
            if listing.horizon is None and not ids:
                return Page((), None)
            after = ids[-1] if ids else listing.horizon or after

    async def _list(self, point: Identifier, fence: int, after: bytes, trial: Trial) -> Listing:
        configuration, replies = await self._until_majority(
            point, trial, partial(_list_request, point, fence, after), fence
        )
        holders, horizon = _union(replies, after)
        return Listing(configuration, sorted(holders), holders, horizon)

    async def _collect(self, point: Identifier, listing: Listing, ids: list[bytes]) -> list[Item]:
        """The first of these items, as many as one page holds, in order; those that nobody holds any more left out."""
        epoch, holders = listing.configuration.epoch, listing.holders
        wanted, room, found = list(ids), PAGE_BYTES, list[Item]()
        while wanted and room > 0:
            node = self._nearest(holders[wanted[0]])
            if node is None:
                if found:
                    break
                raise NoQuorum("The members that hold the mail do not answer. Try again in a few seconds.")
            run = _run(wanted, holders, node)
            reply = await self._asking.attempt(node, CollectRequest(point, epoch, run), COLLECT_SECONDS)
            if not isinstance(reply, SetReply) or reply.status is not Status.OK:
                for nodes in holders.values():
                    if node in nodes:
                        nodes.remove(node)
                continue
            got = {item.id: item for item in reply.items}
            for item_id in run:
                item = got.get(item_id)
                if item is None and reply.more:
                    return found
                wanted.remove(item_id)
                if item is not None:
                    room -= len(item.payload) + len(item.meta) + ITEM_FRAME_BYTES
                    if room < 0 and found:
                        return found
                    found.append(item)
        return found

    def _nearest(self, nodes: list[Identifier]) -> Identifier | None:
        """Ourselves if we can, else one believed alive."""
        if self._asking.me in nodes:
            return self._asking.me
        return min(nodes, key=lambda node: (not self._asking.is_live(node), node), default=None)

    async def remove(self, point: Identifier, fence: int, ids: Sequence[bytes], proof: bytes, timeout: float) -> None:
        """See ReplicationService.remove."""
        if len(ids) > MAX_IDS:
            raise Misbehaved(f"More than {MAX_IDS} removals were asked for at once.")
        trial = Trial(self._asking, timeout, "The acknowledgement")
        names, refusals = tuple(ids), 0
        while True:
            _, replies = await self._until_majority(
                point, trial, lambda epoch: MarkRequest(point, epoch, fence, names, proof), fence, asks=False
            )
            granted = [reply for reply in _set_replies(replies) if reply.status is Status.OK]
            reason = granted[0].reason
            trial.sent = True
            configuration = await self._directory.current(self._slot(point), trial)
            request = BuryRequest(point, configuration.epoch, names, reason, proof)
            replies = await self._ask(configuration, request, trial, LINGER_SECONDS)
            if self._has_majority(replies, configuration):
                return
            if count(replies, Status.REFUSED):
                refusals += 1
                await self._check_session(point, fence, refusals)
            await self._registers.understand(self._slot(point), configuration, replies, trial)

    async def state(self, point: Identifier, item_id: bytes, timeout: float) -> ItemState:
        """See ReplicationService.state."""
        trial = Trial(self._asking, timeout, "The question")
        _, replies = await self._until_majority(point, trial, lambda epoch: LookRequest(point, epoch, (item_id,)), 0)
        return max(
            (each.state for reply in _set_replies(replies) for each in reply.known if each.id == item_id),
            default=ItemState.UNKNOWN,
        )

    async def _until_majority(
        self, point: Identifier, trial: Trial, request: Callable[[int], SetRequest], fence: int, asks: bool = True
    ) -> tuple[Configuration, Replies]:
        """Ask until a majority of one epoch says OK; no more than that majority where it only `asks`.

        Raises:
            SessionReplaced: the session register has an epoch above `fence`, as a majority confirms.
            Misbehaved: members that hold the current session refuse the proof.
        """
        refusals = 0
        while True:
            configuration = await self._directory.current(self._slot(point), trial)
            first = majority(len(configuration.members)) if asks else None
            replies = await self._ask(configuration, request(configuration.epoch), trial, first=first)
            if self._has_majority(replies, configuration):
                return configuration, replies
            if count(replies, Status.REPLACED) or count(replies, Status.REFUSED):
                refusals += count(replies, Status.REFUSED) > 0
                await self._check_session(point, fence, refusals)
            await self._registers.understand(self._slot(point), configuration, replies, trial)

    async def _check_session(self, point: Identifier, fence: int, refusals: int) -> None:
        try:
            value = await self._registers.agree(RegisterKey(point, KIND_SESSION))
        except (TryElsewhere, UnknownOutcome):
            return
        if value is not None and self._formats.fence_of(value) > fence:
            raise SessionReplaced("A later login elsewhere ended this session.")
        if refusals >= REFUSALS:
            raise Misbehaved("The proof does not ask for this removal.")

    async def _ask(
        self,
        configuration: Configuration,
        request: SetRequest,
        trial: Trial,
        linger: float = 0.0,
        first: int | None = None,
    ) -> Replies:
        members, seconds = configuration.members, trial.seconds()
        replies = await self._asking.several(
            members, request, seconds, lambda so_far: decided(so_far, configuration), linger, first
        )
        answered = sum(reply is not None for reply in replies.values())
        trial.heard(answered, majority(len(configuration.members)))
        return replies

    def _slot(self, point: Identifier) -> int:
        return slot_of(point, self._directory.slots)

    def _has_majority(self, replies: Replies, configuration: Configuration) -> bool:
        return count(replies, Status.OK) >= majority(len(configuration.members))


def batches(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    """Items in order, each batch small enough for one request."""
    made: list[list[Item]] = []
    room = -1
    for item in items:
        size = len(item.payload) + len(item.meta) + ITEM_FRAME_BYTES
        room -= size
        if room < 0 or len(made[-1]) == MAX_IDS:
            made.append([])
            room = PAGE_BYTES - size
        made[-1].append(item)
    return [tuple(batch) for batch in made]


def _set_replies(replies: Replies) -> list[SetReply]:
    return [reply for reply in replies.values() if isinstance(reply, SetReply)]


def _union(replies: Replies, after: bytes) -> tuple[dict[bytes, list[Identifier]], bytes | None]:
    """Who holds which present item, and up to which id everybody's list reaches (None: to the end)."""
    lists = {
        node: reply for node, reply in replies.items() if isinstance(reply, SetReply) and reply.status is Status.OK
    }
    cut = [reply.known[-1].id if reply.known else after for reply in lists.values() if reply.more]
    horizon = min(cut, default=None)
    gone = {each.id for reply in lists.values() for each in reply.known if each.state.is_tombstone}
    holders: dict[bytes, list[Identifier]] = {}
    for node, reply in lists.items():
        for each in reply.known:
            if each.state is ItemState.PRESENT and each.id not in gone and (horizon is None or each.id <= horizon):
                holders.setdefault(each.id, []).append(node)
    return holders, horizon


def _list_request(point: Identifier, fence: int, after: bytes, epoch: int) -> ListRequest:
    return ListRequest(point, epoch, fence, after)


def _run(wanted: list[bytes], holders: dict[bytes, list[Identifier]], node: Identifier) -> tuple[bytes, ...]:
    """The first ids of `wanted` that one node holds, up to the first that it does not."""
    run: list[bytes] = []
    for item_id in wanted[:MAX_IDS]:
        if node not in holders[item_id]:
            break
        run.append(item_id)
    return tuple(run)
