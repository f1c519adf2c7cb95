"""One seed's run of an account: agents log in against each other and renew the mail key while mail comes in."""

import argparse
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random
from typing import Any, TypeVar

from p2pchat.errors import Conflict, Misbehaved, Moving, NoQuorum, SessionReplaced, StaleKey, UnknownOutcome
from p2pchat.identifiers import BITS, Identifier
from p2pchat.replication.formats import Formats
from p2pchat.replication.results import Page
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.slots import KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.replication.uset import Item, ItemState
from p2pchat.simulation import names, report
from p2pchat.simulation.chaos import POINTS, Chaos
from p2pchat.simulation.clients import Clients
from p2pchat.simulation.faults import Plan, draw
from p2pchat.simulation.governed import GovernedWorld
from p2pchat.simulation.linearizability import Operation, Value
from p2pchat.simulation.mailcheck import NEVER, MailHistory, Span, check
from p2pchat.simulation.names import Held, Names, decode, keep, validate
from p2pchat.simulation.report import Outcome
from p2pchat.simulation.world import varied

T = TypeVar("T")
SECONDS = 5.0
"""How long faults last."""
MAX_OPERATIONS = 20
AGENTS = 3
NEWEST = 0.7
"""Share of what agents do that is done by the one that logged in last."""
SENDERS = 3
STOPS = 0.12
"""Chance that an agent stops between two steps of what it does."""
SEALINGS = 4
"""How often a sender seals one message anew."""
PAGES = 100


@dataclass(frozen=True, slots=True)
class MailKeys:
    """The mail key register as this experiment writes it; who has the account's password opens both keys from it."""

    number: int
    current: bytes
    draining: bytes = b""
    session: int = 0

    def encode(self) -> bytes:
        return b"%d|%s|%s|%d" % (self.number, self.current, self.draining, self.session)


def mail_keys(value: Value) -> MailKeys:
    """Back from `MailKeys.encode`; number 0 where there is no register."""
    if value is None:
        return MailKeys(0, b"")
    number, current, draining, session = value.split(b"|")
    return MailKeys(int(number), current, draining, int(session))


def validate_keys(old: Value, new: bytes) -> None:
    """As mail keys are judged: the same key loses the draining one, or the next key drains the one before."""
    after, before = mail_keys(new), mail_keys(old)
    if old is None or old == new:
        return
    later, step = after.session >= before.session, after.number - before.number
    if step == 0:
        kept = after == replace(before, draining=b"") and before.draining != b""
    elif step == 1:
        kept = later and after.draining in (b"", before.current)
    else:
        kept = later and step > 1
    if not kept:
        raise Conflict("The mail key was changed meanwhile.")


@dataclass(frozen=True, slots=True)
class Compare:
    """Put `new` where `expected` stands."""

    writer: bytes
    expected: Value
    new: bytes

    def decide(self, old: Value) -> Value:
        return self.new if old == self.expected else old

    def judge(self, old: Value, _now: float) -> Value:
        """As a gateway does it."""
        if old != self.expected:
            raise Conflict("The record was changed meanwhile.")
        return self.new

    def __str__(self) -> str:
        return f"{self.new.decode()} over {self.expected!r}"


@dataclass(slots=True)
class Agent:
    """One device of the person.

    Attributes:
        fence: the epoch of the session that it has or had; 0 before its first login.
        keys: private halves on its disk, by id.
        stored: envelopes on its disk.
    """

    fence: int = 0
    keys: set[bytes] = field(default_factory=set)
    stored: set[bytes] = field(default_factory=set)


class Stopped(Exception):
    """The agent stopped between two steps."""


FAILURES = (Stopped, NoQuorum, Moving, UnknownOutcome, SessionReplaced, Conflict)
"""What ends an operation that may be tried again."""


class Account:
    """The agents of one account, those who write to it, and what all of them were told."""

    def __init__(self, clients: Clients, point: Identifier, chance: Random) -> None:
        self._clients, self._chance, self._point = clients, chance, point
        self._session, self._keys = RegisterKey(point, KIND_SESSION), RegisterKey(point, KIND_MAILKEY)
        self.registers = Names(clients, [self._session, self._keys], chance)
        self.mail = MailHistory()
        self.wrong: list[str] = []
        self._agents = [Agent() for _ in range(AGENTS)]
        self._sealed_for: dict[bytes, bytes] = {}
        self._heard = [b""] * SENDERS  # the keys that they remember
        self._taken = 0

    async def operate(self, number: int) -> None:
        """One operation of a random kind."""
        kind, agent = self._chance.random(), self._chance.choice(self._agents)
        if self._chance.random() < NEWEST:
            agent = max(self._agents, key=lambda each: each.fence)
        try:
            if not agent.fence or kind < 0.15:
                await self.log_in(agent)
                await self.renew(agent)
            elif kind < 0.4:
                await self.renew(agent)
            elif kind < 0.55:
                await self.empty(agent)
            else:
                await self.send(number)
        except FAILURES:
            pass

    async def log_in(self, agent: Agent) -> None:
        """Follow the session that stands; with the password everything in escrow is open to the new one."""
        expected = await self._read(self._session)
        before = Held(b"", b"", 0) if expected is None else decode(expected)
        new = Held(self._name(b"s"), before.writer, before.number + 1)
        if not await self.registers.change(self._session, Compare(new.writer, expected, new.encode())):
            raise Conflict("Somebody else logged in, or nobody knows.")
        agent.fence = new.number
        await self._open_escrow(agent)

    async def renew(self, agent: Agent) -> None:
        """The rotation of the mail key, from wherever the register says that it stands."""
        value = await self._read(self._keys)
        held = mail_keys(value)
        if agent.fence < held.session:
            raise SessionReplaced("A later session has renewed the key.")
        if not held.draining:
            key = self._name(b"k")
            agent.keys.add(key)
            self._pause()
            new = MailKeys(held.number + 1, key, held.current, agent.fence)
            if not await self.registers.change(self._keys, Compare(key, value, new.encode())):
                return
            value, held = new.encode(), new
            self._pause()
        if held.draining and await self.empty(agent):
            self._pause()
            drained = replace(held, draining=b"")
            if await self.registers.change(self._keys, Compare(self._name(b"d"), value, drained.encode())):
                agent.keys = {held.current}

    async def empty(self, agent: Agent) -> bool:
        """Fetch, keep on disk, acknowledge; whether nothing was left that this agent cannot open."""
        found = await self._fetch(agent.fence)
        if any(self._sealed_for[item.id] not in agent.keys for item in found):
            await self._open_escrow(agent)
        opened = [item.id for item in found if self._sealed_for[item.id] in agent.keys]
        agent.stored.update(opened)
        self._pause()
        if opened:
            await self._acknowledge(agent.fence, opened)
        return len(opened) == len(found)

    async def send(self, number: int) -> None:
        """A message under the key that a sender remembers, or has just read; sealed anew when that one is over."""
        sender = self._chance.randrange(SENDERS)
        if not self._heard[sender] or self._chance.random() < 0.2:
            self._heard[sender] = mail_keys(await self._read(self._keys)).current
        if not self._heard[sender]:
            return  # nobody has published a key yet
        for sealing in range(SEALINGS):
            if await self._add(self._heard[sender], b"%d.%d" % (number, sealing)):
                return
            self._heard[sender] = mail_keys(await self._read(self._keys)).current

    async def finish(self) -> bool:
        """The last login, on a new device, and all mail that is there; whether that succeeded."""
        agent = Agent()
        try:
            await self.log_in(agent)
            found = await self._fetch(agent.fence)
        except FAILURES:
            return False
        stored = {item for add in self.mail.adds if add.returned != NEVER for item in add.items}
        kept = set().union(*(each.stored for each in self._agents))
        self.wrong.extend(
            f"envelope {item.id.hex()[:8]} under {self._sealed_for[item.id]!r} was stored and nobody can open it"
            for item in found
            if item.id in stored - kept and self._sealed_for[item.id] not in agent.keys
        )
        return True

    def violations(self) -> list[str]:
        """Answers that no order explains, and mail that nobody can read any more."""
        return [*self.wrong, *self.registers.violations()]

    async def _add(self, key: bytes, text: bytes) -> bool:
        """One try to store an envelope; False if the key is over."""
        item = Item(sha256(key + b"/" + text).digest(), text, key)
        self._sealed_for[item.id] = key
        place, span = len(self.mail.adds), frozenset([item.id])
        called = self._clients.tick()
        self.mail.adds.append(Span(span, called, NEVER))
        try:
            await self._clients.ask(lambda service: service.add(self._point, key, [item]))
        except StaleKey:
            self._note(self._keys, f"{key!r} is stale", called, lambda value: mail_keys(value).current != key)
            return False
        except (NoQuorum, Moving):
            self.mail.adds[place] = Span(frozenset(), called, NEVER)
            raise
        self.mail.adds[place] = Span(span, called, self._clients.tick())
        self._note(self._keys, f"stored under {key!r}", called, lambda value: mail_keys(value).current == key)
        if self._chance.random() < 0.3:
            await self._look(item.id)
        return True

    async def _look(self, item_id: bytes) -> None:
        """Whoever knows the id of a stored envelope may ask for it, and it is never unknown."""
        if await self._clients.ask(lambda service: service.state(self._point, item_id)) is ItemState.UNKNOWN:
            self.wrong.append(f"envelope {item_id.hex()[:8]} was stored and is unknown")

    async def _fetch(self, fence: int) -> list[Item]:
        """All pages."""
        called, after, found = self._clients.tick(), b"", list[Item]()

        async def turn(service: ReplicationService) -> Page:
            return await service.fetch(self._point, fence, after)

        for _ in range(PAGES):
            page = await self._served(fence, "fetch", turn)
            found.extend(page.items)
            if page.next is None:
                break
            after = page.next
        self.mail.fetches.append(Span(frozenset(item.id for item in found), called, self._clients.tick()))
        return found

    async def _acknowledge(self, fence: int, ids: list[bytes]) -> None:
        called, place = self._clients.tick(), len(self.mail.removals)
        self.mail.removals.append(Span(frozenset(ids), called, NEVER))
        try:
            await self._served(fence, "acknowledgement", lambda service: service.remove(self._point, fence, ids, b""))
        except (NoQuorum, Moving):
            self.mail.removals[place] = Span(frozenset(), called, NEVER)
            raise
        self.mail.removals[place] = Span(frozenset(ids), called, self._clients.tick())

    async def _served(
        self, fence: int, what: str, question: Callable[[ReplicationService], Coroutine[Any, Any, T]]
    ) -> T:
        """An operation of a session: served only while no later one stands, called replaced only once one does."""
        called = self._clients.tick()
        try:
            answer = await self._clients.ask(question)
        except SessionReplaced:
            self._note(self._session, f"{what} of {fence}: replaced", called, lambda value: _epoch(value) > fence)
            raise
        self._note(self._session, f"{what} of {fence}: served", called, lambda value: _epoch(value) <= fence)
        return answer

    def _note(self, key: RegisterKey, label: str, called: int, fits: Callable[[Value], bool]) -> None:
        returned = self._clients.tick()
        self.registers.histories[key][called] = Operation(called, returned, keep, None, label, fits=fits)

    async def _open_escrow(self, agent: Agent) -> None:
        held = mail_keys(await self._read(self._keys))
        agent.keys |= {held.current, held.draining} - {b""}

    async def _read(self, key: RegisterKey) -> Value:
        read = await self.registers.value(key)
        if read is None:
            raise NoQuorum("A record could not be read.")
        return read[0]

    def _name(self, kind: bytes) -> bytes:
        self._taken += 1
        return kind + b"%d" % self._taken

    def _pause(self) -> None:
        if self._chance.random() < STOPS:
            raise Stopped


def _epoch(value: Value) -> int:
    return 0 if value is None else decode(value).number


def _validate_session(old: Value, new: bytes) -> None:
    if old is not None and old != new and decode(new).number <= decode(old).number:
        raise Misbehaved("A session that is not later was sent.")
    validate(old, new)


FORMATS = Formats(
    validators={KIND_SESSION: _validate_session, KIND_MAILKEY: validate_keys},
    fence_of=_epoch,
    key_id_of=lambda value: mail_keys(value).current,
)


def simulate(seed: int, plan: Plan | None = None) -> Outcome:
    """Run one seed; with a plan of one's own, to find the fault that matters."""
    chance = Random(f"{seed}/workload")
    world = GovernedWorld(seed, varied(names.scene_of(chance), Random(f"{seed}/variant")), FORMATS)
    limits = names.limits_of(world.scene, POINTS, majorities=False)
    plan = plan or draw(world.stream("faults"), world.scene.nodes, SECONDS, limits)
    chaos = Chaos(world, plan)
    clients = Clients(world)
    account = Account(clients, Identifier(chance.getrandbits(BITS)), chance)
    count = chance.randint(10, MAX_OPERATIONS)
    clients.plan(chance, count, plan, account.operate)
    story = clients.run(chaos, account.finish, SECONDS) + account.violations()
    verdict = check(account.mail)
    wrong = len(story) + verdict.violations
    if verdict.lost or verdict.violations:
        story.append(f"{verdict} in {account.mail}")
    return Outcome(seed, wrong, len(verdict.lost), count, world.network.digest, tuple(story), tuple(world.kills))


def rows(options: argparse.Namespace) -> Iterator[dict[str, int]]:
    """For `p2pchat simulate sessions`."""
    return report.rows(simulate, options)
