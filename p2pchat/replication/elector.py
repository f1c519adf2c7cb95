"""A member's rules for configurations: nominate, elect, announce, ask, retire."""

from dataclasses import replace

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, State, generation_of, genesis, retired, stands_against
from p2pchat.replication.ground import Event, Ground, check_ballot, group_bytes, grouped
from p2pchat.replication.register import NO_BALLOT, Ballot
from p2pchat.replication.requests import (
    PAGE_BYTES,
    AnnounceReply,
    AnnounceRequest,
    AskReply,
    AskRequest,
    ElectRequest,
    NominateRequest,
    Proposal,
    Standing,
    StandReply,
    StandRequest,
    VoteReply,
)
from p2pchat.replication.store import Store

SLOT_BYTES = 8


class _Votes:
    """Gathers the answer about many slots."""

    def __init__(self) -> None:
        self._proposals: dict[tuple[Ballot, tuple[Identifier, ...]], list[int]] = {}
        self._outbid: list[int] = []
        self._highest = NO_BALLOT
        self._others: list[tuple[int, Configuration]] = []
        self._unknown: list[int] = []
        self._room = PAGE_BYTES // 2

    def no_vote(self, slot: int, newest: Configuration | None) -> None:
        self._room -= 0 if newest is None else group_bytes(newest)
        if newest is None or self._room < 0:
            self._unknown.append(slot)
        else:
            self._others.append((slot, newest))

    def outbid(self, slot: int, by: Ballot) -> None:
        self._outbid.append(slot)
        self._highest = max(self._highest, by)

    def proposed(self, slot: int, ballot: Ballot, members: tuple[Identifier, ...]) -> None:
        self._proposals.setdefault((ballot, members), []).append(slot)

    def reply(self) -> VoteReply:
        proposals = tuple(
            Proposal(ballot, members, tuple(slots)) for (ballot, members), slots in self._proposals.items()
        )
        return VoteReply(proposals, tuple(self._outbid), self._highest, grouped(self._others), tuple(self._unknown))


class Elector:
    """Answers about what follows a configuration."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def nominate(self, store: Store, caller: Identifier, request: NominateRequest, events: list[Event]) -> VoteReply:
        """Promise a ballot, for each slot in which this node has a vote."""
        return self._vote(store, caller, request, None, events)

    def elect(self, store: Store, caller: Identifier, request: ElectRequest, events: list[Event]) -> VoteReply:
        """Accept the next members, for each slot in which this node has a vote."""
        Configuration(request.epoch + 1, request.members)
        return self._vote(store, caller, request, request.members, events)

    def _vote(
        self,
        store: Store,
        caller: Identifier,
        request: NominateRequest | ElectRequest,
        members: tuple[Identifier, ...] | None,
        events: list[Event],
    ) -> VoteReply:
        check_ballot(request.ballot, caller, request.epoch)
        self._ground.check_slots(request.slots)
        votes = _Votes()
        is_over = generation_of(request.epoch) < store.floor()
        for slot in request.slots:
            record = self._ground.record(store, slot)
            if record is None or is_over or record.successor is not None or not record.votes(request.epoch):
                votes.no_vote(slot, None if record is None else record.newest)
            elif request.ballot < record.promised or (members is None and request.ballot == record.promised):
                votes.outbid(slot, record.promised)
            elif members is None:
                self._ground.put(store, replace(record, promised=request.ballot), events)
                if record.proposal:
                    votes.proposed(slot, record.accepted, record.proposal)
            else:
                accepted = replace(record, promised=request.ballot, accepted=request.ballot, proposal=members)
                self._ground.put(store, accepted, events)
        return votes.reply()

    def announce(self, store: Store, request: AnnounceRequest, events: list[Event]) -> AnnounceReply:
        """Take note of decided configurations."""
        self._ground.check_slots(tuple(slot for group in request.groups for slot in group.slots))
        standings: dict[tuple[int, State], list[int]] = {}
        for group in request.groups:
            for slot in group.slots:
                record = self._ground.adopt(store, slot, group.configuration, events)
                if record is not None:
                    standings.setdefault((record.configuration.epoch, record.state), []).append(slot)
        return AnnounceReply(tuple(Standing(epoch, state, tuple(slots)) for (epoch, state), slots in standings.items()))

    def stand(self, store: Store, request: StandRequest) -> StandReply:
        """Say where this node knows better than whoever announced a configuration."""
        self._ground.check_slots(request.slots)
        held = ((slot, self._ground.record(store, slot)) for slot in request.slots)
        return StandReply(
            tuple(
                slot
                for slot, record in held
                if record is not None and stands_against(record, request.epoch, request.decided)
            )
        )

    def ask(self, store: Store, request: AskRequest) -> AskReply:
        """A page of everything that this node knows about configurations."""
        records = {record.slot: record for record in store.slots()}
        known: list[tuple[int, Configuration]] = []
        seen: set[Configuration] = set()
        room = PAGE_BYTES
        for slot in range(request.first, self._ground.slots):
            record = records.get(slot) or (genesis(slot, self._ground.me) if self._ground.founder else None)
            if record is None:
                continue
            room -= SLOT_BYTES + (0 if record.newest in seen else group_bytes(record.newest))
            if room < 0:
                return AskReply(grouped(known), slot)
            seen.add(record.newest)
            known.append((slot, record.newest))
        return AskReply(grouped(known), None)

    def retire(self, store: Store, slots: tuple[int, ...], events: list[Event]) -> None:
        """Forget the records of slots whose later members hold everything."""
        for slot in slots:
            record = self._ground.record(store, slot)
            if record is None or record.successor is None:
                raise Misbehaved(f"Slot {slot} has no later members.")
            if generation_of(record.newest.epoch) < store.floor():
                continue
            store.clear(*self._ground.span(slot))
            self._ground.put(store, retired(record), events)
