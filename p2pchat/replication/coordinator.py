"""Linearizable changes and reads of registers: the proposer's half of CASPaxos inside a slot's epoch.

A failed condition and a read write back what they saw before anybody is told, unless a majority already agrees on it:
otherwise a later reader could see an older value (the fault of CASSANDRA-12126).
"""

from collections.abc import Callable
from dataclasses import dataclass

from p2pchat.errors import Misbehaved
from p2pchat.identifiers import name
from p2pchat.replication.asking import Asking, Replies, Trial
from p2pchat.replication.configuration import Configuration, Group, majority
from p2pchat.replication.directory import LEAST_WORDS, Directory
from p2pchat.replication.prepared import Prepared, PreparedBallots
from p2pchat.replication.register import NO_BALLOT, Ballot, Counter, Versioned, operation_mark
from p2pchat.replication.requests import (
    AcceptRequest,
    AnnounceRequest,
    PrepareRequest,
    ReadRequest,
    RegisterReply,
    SetReply,
    Status,
)
from p2pchat.replication.results import Changed, Read
from p2pchat.replication.slots import RegisterKey, slot_of

FAST_READ_SECONDS = 1.0
AGREE_SECONDS = 5.0
TELL_SECONDS = 5.0

Decide = Callable[[bytes | None], bytes | None]
Judge = Callable[[RegisterKey, Versioned, Versioned], None]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What an attempt came to: the content to agree on, and what the caller gets once that is agreed."""

    content: Versioned
    result: Changed | Exception


class Coordinator:
    """Runs changes and reads of registers for this node."""

    def __init__(self, asking: Asking, directory: Directory, counter: Counter, judge: Judge) -> None:
        """
        Args:
            judge: raises Misbehaved or Conflict when a content may not follow another.
        """
        self._asking, self._directory, self._counter, self._judge = asking, directory, counter, judge
        self._prepared = PreparedBallots()

    def slot_of(self, key: RegisterKey) -> int:
        """Where a register lives."""
        return slot_of(key.point, self._directory.slots)

    async def change(self, key: RegisterKey, decide: Decide, operation: bytes, timeout: float) -> Changed:
        """See ReplicationService.change."""
        return await self._change(key, decide, operation, Trial(self._asking, timeout, "The change"))

    async def _change(self, key: RegisterKey, decide: Decide, operation: bytes, trial: Trial) -> Changed:
        slot, mark = self.slot_of(key), operation_mark(operation)
        while True:
            configuration = await self._directory.current(slot, trial)
            is_agreed, is_mine = False, True
            if (prepared := self._take(key, configuration)) is not None:
                ballot, held = prepared.ballot, prepared.content
            else:
                ballot = self._counter.next(configuration.epoch)
                promises = await self._prepare(slot, configuration, PrepareRequest(key, ballot), trial)
                if promises is None:
                    continue
                newest, held = max(promises, key=lambda each: each[0])
                is_agreed = self._is_agreed(configuration, promises, newest)
                is_mine = newest.node == self._asking.me
            outcome = self._judged(key, held, decide, mark)
            # What an earlier try of a refused operation left with a minority could be chosen later: outbid it.
            is_refused = isinstance(outcome.result, Exception)
            if outcome.content != held or not is_agreed or is_refused:
                trial.sent = trial.sent or outcome.content != held
                if not await self._accept(
                    slot, configuration, self._request(key, ballot, outcome.content, is_mine), trial
                ):
                    continue
            if isinstance(outcome.result, Exception):
                raise outcome.result
            return outcome.result

    def _take(self, key: RegisterKey, configuration: Configuration) -> Prepared | None:
        """What was promised ahead, unless too few members are believed alive: then a question should leave first."""
        if (prepared := self._prepared.take(key, configuration)) is None:
            return None
        live = sum(node == self._asking.me or self._asking.is_live(node) for node in configuration.members)
        return prepared if live >= majority(len(configuration.members)) else None

    def _request(self, key: RegisterKey, ballot: Ballot, content: Versioned, is_mine: bool) -> AcceptRequest:
        """Where the value before was ours too, the next one is likely to be: its ballot is to be promised ahead."""
        following = self._counter.next(ballot.epoch) if is_mine and self._prepared.fits(content) else None
        return AcceptRequest(key, ballot, content, following)

    def _judged(self, key: RegisterKey, held: Versioned, decide: Decide, mark: bytes) -> _Outcome:
        if mark in held.operations:
            return _Outcome(held, Changed(held.value, held.version, repeated=True))
        try:
            value = decide(held.value)
            if value is None or value == held.value:
                return _Outcome(held, Changed(held.value, held.version))
            content = held.changed(value, mark)
            self._judge(key, held, content)
        except Exception as error:  # it is the caller's, who gets it once `held` is agreed on
            return _Outcome(held, error)
        return _Outcome(content, Changed(content.value, content.version))

    def _is_agreed(self, configuration: Configuration, answers: list[tuple[Ballot, Versioned]], newest: Ballot) -> bool:
        """Whether a majority holds the newest content, which then is chosen.

        Not if it came from an epoch before: there a majority may have pulled a value that was never chosen, while
        another member has pulled a later one.
        """
        if newest != NO_BALLOT and newest.epoch != configuration.epoch:
            return False
        return sum(ballot == newest for ballot, _ in answers) >= majority(len(configuration.members))

    async def _prepare(
        self, slot: int, configuration: Configuration, request: PrepareRequest, trial: Trial
    ) -> list[tuple[Ballot, Versioned]] | None:
        """What a majority accepted before; None: look at the slot anew and try again."""
        replies = await self._ask(configuration, request, trial)
        granted = _contents(replies)
        if len(granted) >= majority(len(configuration.members)):
            return granted
        await self.understand(slot, configuration, replies, trial)
        return None

    async def _accept(self, slot: int, configuration: Configuration, request: AcceptRequest, trial: Trial) -> bool:
        replies = await self._ask(configuration, request, trial)
        accepted = count(replies, Status.OK)
        if accepted >= majority(len(configuration.members)):
            if request.following is not None:
                self._prepared.keep(request.key, Prepared(configuration, request.following, request.content))
            return True
        refused = [each for each in _register_replies(replies) if each.status is Status.REFUSED]
        if len(refused) == len(configuration.members):
            raise Misbehaved(refused[0].reason.decode(errors="replace"))
        await self.understand(slot, configuration, replies, trial)
        return False

    async def _ask(
        self, configuration: Configuration, request: PrepareRequest | AcceptRequest, trial: Trial
    ) -> Replies:
        needed = majority(len(configuration.members))
        replies = await self._asking.several(
            configuration.members, request, trial.seconds(), lambda so_far: decided(so_far, configuration)
        )
        trial.heard(sum(reply is not None for reply in replies.values()), needed)
        return replies

    async def understand(self, slot: int, configuration: Configuration, replies: Replies, trial: Trial) -> None:
        """After a question that found no majority: learn from the refusals, help who is behind, wait if need be.

        Raises:
            NoQuorum, Moving, UnknownOutcome: the time is over.
        """
        trial.check()
        outbid = False
        for node, reply in replies.items():
            if isinstance(reply, RegisterReply) and reply.status is Status.OUTBID:
                self._counter.heard(reply.ballot)
                outbid = True
            if not isinstance(reply, RegisterReply | SetReply) or reply.status is not Status.WRONG_EPOCH:
                continue
            if reply.configuration is not None and reply.configuration.epoch > configuration.epoch:
                self._directory.heard(slot, reply.configuration, node)
            elif reply.configuration is None or reply.configuration.epoch < configuration.epoch:
                group = Group(configuration, (slot,))
                self._asking.tell(node, AnnounceRequest((group,)), TELL_SECONDS)
        known = self._directory.get(slot)
        if known is not None and known.epoch > configuration.epoch:
            return
        answered = sum(reply is not None for reply in replies.values())
        if not outbid and answered < majority(len(configuration.members)):
            await self._directory.refresh(slot, trial.seconds())
        await trial.rest()

    async def read(self, key: RegisterKey, timeout: float) -> Read:
        """See ReplicationService.read."""
        trial = Trial(self._asking, timeout, "The question")
        slot = self.slot_of(key)
        configuration = await self._directory.current(slot, trial)

        def agreed(so_far: Replies) -> bool:
            answers = _contents(so_far)
            newest = max((ballot for ballot, _ in answers), default=NO_BALLOT)
            return bool(answers) and self._is_agreed(configuration, answers, newest)

        replies = await self._asking.several(
            configuration.members,
            ReadRequest(key, configuration.epoch),
            trial.seconds(FAST_READ_SECONDS),
            lambda so_far: agreed(so_far) or is_hopeless(so_far, configuration),
            first=majority(len(configuration.members)),
        )
        if agreed(replies):
            _, content = max(_contents(replies), key=lambda each: each[0])
            return Read(content.value, content.version)
        changed = await self._change(key, lambda value: value, b"", trial)
        return Read(changed.value, changed.version)

    async def agree(self, key: RegisterKey) -> bytes | None:
        """The current value, after bringing a majority of members up to it."""
        trial = Trial(self._asking, AGREE_SECONDS, f"The question about {name(key.point)}")
        return (await self._change(key, lambda value: value, b"", trial)).value


def _register_replies(replies: Replies) -> list[RegisterReply]:
    return [reply for reply in replies.values() if isinstance(reply, RegisterReply)]


def _contents(replies: Replies) -> list[tuple[Ballot, Versioned]]:
    return [
        (reply.ballot, reply.content)
        for reply in _register_replies(replies)
        if reply.status is Status.OK and reply.content is not None
    ]


def count(replies: Replies, status: Status) -> int:
    """How many answered so."""
    return sum(isinstance(reply, RegisterReply | SetReply) and reply.status is status for reply in replies.values())


def is_hopeless(replies: Replies, configuration: Configuration) -> bool:
    """Whether a majority cannot say OK any more, or enough members know a later configuration to be believed."""
    refused = later_known = 0
    enough = min(LEAST_WORDS, majority(len(configuration.members)))
    for reply in replies.values():
        if isinstance(reply, RegisterReply | SetReply) and reply.status is Status.OK:
            continue
        refused += 1
        later = getattr(reply, "configuration", None)
        later_known += later is not None and later.epoch > configuration.epoch
        if later_known >= enough:
            return True
    return len(configuration.members) - refused < majority(len(configuration.members))


def decided(replies: Replies, configuration: Configuration) -> bool:
    """Whether more answers would change nothing: a majority said OK, or cannot any more."""
    return count(replies, Status.OK) >= majority(len(configuration.members)) or is_hopeless(replies, configuration)
