"""One seed's run of mail: clients add, fetch and remove under faults, sessions and keys change, and all is checked."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from p2pchat.errors import Moving, NoQuorum, SessionReplaced, StaleKey, UnknownOutcome
from p2pchat.identifiers import BITS, Identifier
from p2pchat.replication.formats import Formats
from p2pchat.replication.register import EMPTY
from p2pchat.replication.results import Page
from p2pchat.replication.service import ReplicationService
from p2pchat.replication.slots import KIND_MAILKEY, KIND_SESSION, RegisterKey, slot_of
from p2pchat.replication.uset import Item, ItemState
from p2pchat.simulation import names, report
from p2pchat.simulation.authority import Planned
from p2pchat.simulation.chaos import POINTS, Chaos
from p2pchat.simulation.clients import Clients
from p2pchat.simulation.disk import MemoryStore
from p2pchat.simulation.faults import Plan, draw
from p2pchat.simulation.governed import GovernedWorld
from p2pchat.simulation.mailcheck import NEVER, Beginning, MailHistory, MailVerdict, Span, check
from p2pchat.simulation.report import Outcome
from p2pchat.simulation.world import Scene, varied

SECONDS = 5.0
"""How long faults last."""
MAX_OPERATIONS = 20
MAX_ITEMS = 3
"""Items in one add."""
RETRIES = 3
PAGES = 100
FORMATS = Formats(fence_of=int, key_id_of=lambda key: key)


@dataclass(slots=True)
class Numbered:
    """A register that counts up: what its changes were, and when they were certain.

    Attributes:
        begun: the highest number that any change may have written.
        certain: (number, when its change returned), in order of return.
        known: the newest number that clients use.
        anew: when a plan of the ring made the register begin with less than was certain, and with which number.
    """

    key: RegisterKey
    begun: int = 0
    known: int = 0
    certain: list[tuple[int, int]] = field(default_factory=list)
    anew: list[tuple[int, int]] = field(default_factory=list)

    def at_least(self, when: int) -> int:
        """The lowest number that the register can have from that place in the order of events until now."""
        least = max((number for number, returned in self.certain if returned < when), default=0)
        for began, number in self.anew:
            least = min(least, number) if when < began else max(number, self._since(began, when))
        return least

    def _since(self, began: int, when: int) -> int:
        return max((number for number, returned in self.certain if began < returned < when), default=0)

    def begin(self, when: int, number: int) -> None:
        """A plan made the register begin anew."""
        self.anew.append((when, number))
        self.known = min(self.known, number)


class Mailbox:
    """One mailbox, what was done to it, and what should not have happened."""

    def __init__(self, point: Identifier) -> None:
        self.point = point
        self.session = Numbered(RegisterKey(point, KIND_SESSION))
        self.key = Numbered(RegisterKey(point, KIND_MAILKEY))
        self.history = MailHistory()
        self.items: dict[bytes, Item] = {}
        self.wrong: list[str] = []
        self.begun = [Beginning()]

    def begin(self, when: int, stores: list[MemoryStore]) -> None:
        """The mailbox goes on with what these members have, whatever was acknowledged before."""
        for register, kind in ((self.session, KIND_SESSION), (self.key, KIND_MAILKEY)):
            place = RegisterKey(self.point, kind)
            held = [found for store in stores if (found := store.register(place)) is not None]
            value = max(held, key=lambda each: each.accepted, default=EMPTY).content.value
            register.begin(when, int(value or b"0"))
        states = {item_id: united_in(stores, self.point, item_id) for item_id in self.items}
        present = frozenset(item_id for item_id, state in states.items() if state is ItemState.PRESENT)
        removed = frozenset(item_id for item_id, state in states.items() if state.is_tombstone)
        self.begun.append(Beginning(when, present, removed))

    def verdicts(self) -> list[tuple[MailVerdict, MailHistory]]:
        """For each time between two beginnings."""
        ends = [*(each.when for each in self.begun[1:]), NEVER + 1]
        parts = [self.history.part(began, end) for began, end in zip(self.begun, ends, strict=True)]
        return [(check(part), part) for part in parts]

    def fence(self, chance: Random) -> int:
        """The session that an asker has: mostly the newest one."""
        return self.session.known if chance.random() < 0.8 else chance.randint(0, self.session.known)


class Mail:
    """The clients of one run."""

    def __init__(self, clients: Clients, mailboxes: list[Mailbox], chance: Random) -> None:
        self._clients, self._mailboxes, self._chance = clients, mailboxes, chance

    async def operate(self, number: int) -> None:
        """One operation of a random kind on a random mailbox."""
        mailbox, kind = self._chance.choice(self._mailboxes), self._chance.random()
        if kind < 0.5:
            await self.add(mailbox, number)
        elif kind < 0.65:
            await self.fetch(mailbox, mailbox.fence(self._chance))
        elif kind < 0.82:
            await self.remove(mailbox)
        else:
            await self.count_up(mailbox.session if kind < 0.91 else mailbox.key)

    async def add(self, mailbox: Mailbox, number: int) -> None:
        """New items under the newest key, or an older one; after an unknown outcome often once more."""
        key = mailbox.key.known if self._chance.random() < 0.8 else self._chance.randint(0, mailbox.key.known)
        items = [_item(number, place) for place in range(self._chance.randint(1, MAX_ITEMS))]
        mailbox.items.update((item.id, item) for item in items)
        called, returned, certain = self._clients.tick(), NEVER, True
        place, span = len(mailbox.history.adds), frozenset(item.id for item in items)
        mailbox.history.adds.append(Span(span, called, NEVER))
        fence = b"" if key == 0 else b"%d" % key
        for _ in range(RETRIES):
            try:
                await self._clients.ask(lambda service: service.add(mailbox.point, fence, items))
                returned = self._clients.tick()
                if key < mailbox.key.at_least(called):
                    mailbox.wrong.append(f"add called {called} under key {key} was stored though a later one held")
            except (NoQuorum, Moving):
                if certain:
                    mailbox.history.adds[place] = Span(frozenset(), called, NEVER)
            except StaleKey:
                if key >= mailbox.key.begun and not mailbox.key.anew:
                    mailbox.wrong.append(f"key {key} was called stale in an add called {called}, but none is newer")
            except UnknownOutcome:
                certain = False
                if self._chance.random() < 0.7:
                    continue
            break
        if returned != NEVER:
            mailbox.history.adds[place] = Span(span, called, returned)

    async def fetch(self, mailbox: Mailbox, fence: int) -> bool:
        """All pages; whether it succeeded."""
        called, after, found = self._clients.tick(), b"", list[Item]()

        async def turn(service: ReplicationService) -> Page:
            return await service.fetch(mailbox.point, fence, after, self._chance.randint(1, 50))

        for _ in range(PAGES):
            try:
                page = await self._clients.ask(turn)
            except (NoQuorum, Moving, UnknownOutcome):
                return False
            except SessionReplaced:
                self._judge_replacement(mailbox, "fetch", fence)
                return False
            found.extend(page.items)
            if page.next is None:
                break
            after = page.next
        self._judge_service(mailbox, "fetch", fence, called)
        mailbox.wrong.extend(f"item {item.id.hex()} came back changed" for item in found if _is_changed(mailbox, item))
        mailbox.history.fetches.append(Span(frozenset(item.id for item in found), called, self._clients.tick()))
        return True

    async def remove(self, mailbox: Mailbox) -> None:
        """Remove some items, under the newest session or one that was replaced."""
        fetched = sorted({item for fetch in mailbox.history.fetches for item in fetch.items})
        if not fetched:
            return
        ids = self._chance.sample(fetched, min(len(fetched), self._chance.randint(1, MAX_ITEMS)))
        fence, called = mailbox.fence(self._chance), self._clients.tick()
        place = len(mailbox.history.removals)
        mailbox.history.removals.append(Span(frozenset(ids), called, NEVER))
        void = Span(frozenset(), called, NEVER)
        try:
            await self._clients.ask(lambda service: service.remove(mailbox.point, fence, ids, b"proof"))
        except (NoQuorum, Moving):
            mailbox.history.removals[place] = void
        except UnknownOutcome:
            pass
        except SessionReplaced:
            self._judge_replacement(mailbox, "removal", fence)
            if fence < mailbox.session.at_least(called):
                mailbox.history.removals[place] = void
        else:
            self._judge_service(mailbox, "removal", fence, called)
            mailbox.history.removals[place] = Span(frozenset(ids), called, self._clients.tick())

    async def count_up(self, register: Numbered) -> None:
        """A new login, or a new mail key."""
        operation = b"%d" % self._clients.tick()

        def decide(old: bytes | None) -> bytes:
            register.begun = max(register.begun, int(old or b"0") + 1)
            return b"%d" % (int(old or b"0") + 1)

        for _ in range(RETRIES):
            try:
                changed = await self._clients.ask(lambda service: service.change(register.key, decide, operation))
            except (NoQuorum, Moving):
                return
            except UnknownOutcome:
                continue
            register.known = max(register.known, int(changed.value or b"0"))
            register.certain.append((int(changed.value or b"0"), self._clients.tick()))
            return

    async def fetch_all(self) -> bool:
        """The last fetches, by whoever is logged in then; whether they succeeded."""
        return all([await self._fetch_last(mailbox) for mailbox in self._mailboxes])

    async def _fetch_last(self, mailbox: Mailbox) -> bool:
        try:
            read = await self._clients.ask(lambda service: service.read(mailbox.session.key))
        except (NoQuorum, Moving, UnknownOutcome):
            return False
        return await self.fetch(mailbox, int(read.value or b"0"))

    def _judge_replacement(self, mailbox: Mailbox, what: str, fence: int) -> None:
        if fence >= mailbox.session.begun:
            mailbox.wrong.append(f"{what}: session {fence} was called replaced, but none is newer")

    def _judge_service(self, mailbox: Mailbox, what: str, fence: int, called: int) -> None:
        if fence < mailbox.session.at_least(called):
            mailbox.wrong.append(f"{what} called {called}: session {fence} was served though a later one held")


def united_in(stores: list[MemoryStore], point: Identifier, item_id: bytes) -> ItemState:
    """What some members know of an item together."""
    held = [found.state for store in stores if (found := store.item(point, item_id)) is not None]
    return max(held, default=ItemState.UNKNOWN)


def _item(number: int, place: int) -> Item:
    name = b"%d.%d" % (number, place)
    return Item(sha256(name).digest(), b"text " + name, b"from somebody")


def _is_changed(mailbox: Mailbox, item: Item) -> bool:
    return mailbox.items.get(item.id, item) != item


def scene_of(chance: Random) -> Scene:
    """How a run of this seed begins."""
    return Scene(
        nodes=chance.choice((5, 6, 7)),
        slots=chance.choice((1, 2)),
        replicas=chance.choice((2, 2, 4)),
        repair_after=chance.choice((0.5, 2.0)),
        members=chance.choice((1, 3, 3, 3, 5)),
        durable=chance.random() < 0.7,
    )


def simulate(seed: int, plan: Plan | None = None) -> Outcome:
    """Run one seed; with a plan of one's own, to find the fault that matters."""
    chance = Random(f"{seed}/workload")
    world = GovernedWorld(seed, varied(scene_of(chance), Random(f"{seed}/variant")), FORMATS)
    limits = names.limits_of(world.scene, POINTS, majorities=True)
    plan = plan or draw(world.stream("faults"), world.scene.nodes, SECONDS, limits)
    chaos = Chaos(world, plan)
    clients = Clients(world)
    mailboxes = [Mailbox(Identifier(chance.getrandbits(BITS))) for _ in range(chance.choice((1, 1, 2)))]
    mail = Mail(clients, mailboxes, chance)

    def planned(planned: Planned, stores: dict[Identifier, MemoryStore]) -> None:
        for mailbox in mailboxes:
            slot = slot_of(mailbox.point, world.scene.slots)
            if planned.is_in_doubt(slot):
                mailbox.begin(clients.tick(), [stores[node] for node in planned.sources(slot)])

    world.on_planned.append(planned)
    count = chance.randint(8, MAX_OPERATIONS)
    clients.plan(chance, count, plan, mail.operate)
    wrong = clients.run(chaos, mail.fetch_all, SECONDS)
    wrong.extend(each for mailbox in mailboxes for each in mailbox.wrong)
    verdicts = [verdict for mailbox in mailboxes for verdict in mailbox.verdicts()]
    return Outcome(
        seed,
        len(wrong) + sum(verdict.violations for verdict, _ in verdicts),
        sum(len(verdict.lost) for verdict, _ in verdicts),
        count,
        world.network.digest,
        (*wrong, *(f"{verdict} in {history}" for verdict, history in verdicts if verdict.lost or verdict.violations)),
        tuple(world.kills),
    )


def rows(options: argparse.Namespace) -> Iterator[dict[str, int]]:
    """For `p2pchat simulate mail`."""
    return report.rows(simulate, options)
