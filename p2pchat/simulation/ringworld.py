"""Members of a ring that exchange messages in a random order, one event at a time, judged after each.

Failure detection is perfect unless `suspicion` is above 0: then a live node is now and then taken for dead.
"""

from collections.abc import Callable, Iterable
from random import Random

from p2pchat.chord.ring import (
    Action,
    Again,
    Alive,
    Answered,
    Ask,
    Check,
    Discovered,
    Event,
    Failed,
    Founded,
    Joined,
    Notified,
    Pended,
    Ring,
    Stabilized,
    Tell,
)
from p2pchat.identifiers import Identifier, between
from p2pchat.simulation.invariants import Place, Snapshot, best, ideal, lost_principals, principals, violations

MakeRing = Callable[[Identifier, int], Ring]


class RingWorld:
    """Live members, messages under way, and the oracle after every event.

    Attributes:
        suspicion: chance that a question to a live node ends as if it were dead.
        points, most: where newcomers may stand, and how many members there may be.
        broken: names of the predicates that were ever false.
        false: steps after which one was false.
    """

    def __init__(self, length: int, random: Random, make: MakeRing = Ring) -> None:
        self.length, self.random, self.make = length, random, make
        self.suspicion, self.false = 0.0, 0
        self.points, self.most = 64, 9
        self.rings: dict[Identifier, Ring] = {}
        self.under_way: list[tuple[Identifier, Action]] = []
        self.broken: set[str] = set()
        self.events = 0

    @classmethod
    def ideal(cls, members: Iterable[int], length: int, random: Random, make: MakeRing = Ring) -> "RingWorld":
        """A ring whose pointers are all right."""
        world, order = cls(length, random, make), sorted(Identifier(member) for member in members)
        for i, member in enumerate(order):
            around = order[i + 1 :] + order[:i]
            world.place(member, around[:length], order[i - 1])
        return world

    def place(self, member: int, successors: Iterable[int], predecessor: int | None, padding: int = 0) -> Ring:
        """Put a member into exactly this state."""
        ring = self.rings[Identifier(member)] = self.make(Identifier(member), self.length)
        ring.receive(Founded())
        ring.successors, ring.padding = tuple(Identifier(each) for each in successors), padding
        ring.predecessor = None if predecessor is None else Identifier(predecessor)
        return ring

    def snapshot(self) -> Snapshot:
        return {member: Place.of(ring) for member, ring in self.rings.items() if ring.member}

    def ideal_now(self) -> bool:
        return ideal(self.snapshot(), self.length)

    def feed(self, member: Identifier, event: Event) -> None:
        """One step of one member, judged by the oracle."""
        before = self.snapshot()
        self.under_way.extend((member, action) for action in self.rings[member].receive(event))
        self.judge(before)

    def judge(self, before: Snapshot) -> None:
        self.events += 1
        after = self.snapshot()
        if after == before:
            return
        broken = set(violations(after, self.length))
        if lost_principals(before, after):
            broken.add("LossOfPrincipal")
        self.broken |= broken
        self.false += bool(broken)

    def deliver(self, index: int) -> None:
        """Carry out one action: question and answer are one step, as the paper has it."""
        member, action = self.under_way.pop(index)
        if member not in self.rings:
            return
        match action:
            case Ask(node):
                self.feed(member, self._answer(node))
            case Check(node):
                self.feed(member, Alive(node) if self._answers(node) else Failed(node))
            case Tell(node) if node in self.rings:
                self.feed(node, Notified(member))
            case Again():
                self.feed(member, Stabilized())

    def _answers(self, node: Identifier) -> bool:
        return node in self.rings and not (self.suspicion and self.random.random() < self.suspicion)

    def _answer(self, node: Identifier) -> Event:
        if not self._answers(node):
            return Failed(node)
        view = self.rings[node].view()
        return Pended(node) if view is None else Answered(node, view)

    def join(self, newcomer: int) -> bool:
        """Join through whoever seems to precede the newcomer; False if nobody does, or all are busy."""
        point = Identifier(newcomer)
        contacts = [node for node, ring in self.rings.items() if ring.view() and between(node, point, ring.head)]
        contact = self.random.choice(sorted(contacts)) if contacts else None
        view = self.rings[contact].view() if contact is not None else None
        if contact is None or view is None:
            return False
        before = self.snapshot()
        self.rings[point] = self.make(point, self.length)
        self.under_way.extend((point, action) for action in self.rings[point].receive(Joined(contact, view)))
        if not self.rings[point].member:
            del self.rings[point]
            self.under_way = [each for each in self.under_way if each[0] != point]
        self.judge(before)
        return point in self.rings

    def may_fail(self, member: Identifier) -> bool:
        """The paper's assumption: everybody keeps a live successor, and enough principals stay."""
        rest = {node: place for node, place in self.snapshot().items() if node != member}
        return all(best(rest, node) is not None for node in rest) and len(principals(rest)) > self.length

    def fail(self, member: int) -> None:
        before = {node: place for node, place in self.snapshot().items() if node != member}
        del self.rings[Identifier(member)]
        self.judge(before)

    def run(self, events: int) -> None:
        """Random joins, failures, timers and deliveries."""
        for _ in range(events):
            chance = self.random.random()
            if chance < 0.07 and len(self.rings) < self.most:
                free = [point for point in range(self.points) if point not in self.rings]
                self.join(self.random.choice(free))
            elif chance < 0.15:
                victim = self.random.choice(sorted(self.rings))
                if self.may_fail(victim):
                    self.fail(victim)
            elif chance < 0.4 or not self.under_way:
                self.feed(self.random.choice(sorted(self.rings)), Stabilized())
            else:
                self.deliver(self.random.randrange(len(self.under_way)))

    def drain(self, most: int = 10_000) -> None:
        """Deliver everything under way, in random order."""
        while self.under_way and most:
            self.deliver(self.random.randrange(len(self.under_way)))
            most -= 1

    def settle(self, rounds: int = 60, hints: bool = False) -> bool:
        """Stabilize without more changes; whether the ring becomes ideal.

        Args:
            hints: each member hears of the one that truly follows it, as the node table has it.
        """
        for _ in range(rounds):
            self.drain()
            if self.ideal_now():
                return True
            for member in self.random.sample(sorted(self.rings), len(self.rings)):
                if hints:
                    self.feed(member, Discovered(self._following(member)))
                self.feed(member, Stabilized())
        return False

    def _following(self, member: Identifier) -> Identifier:
        order = sorted(self.rings)
        return order[(order.index(member) + 1) % len(order)]
