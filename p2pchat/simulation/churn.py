"""Rings under joins and leaves: a timetable of events, and two kinds of nodes that live through it.

Lookups take their real time, message by message; stabilization and repair of fingers happen at once, because their
period is hundreds of times longer than a message.  A newcomer counts as a node from the moment its predecessor knows
it.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any, Protocol

from p2pchat.chord.ring import (
    Action,
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
from p2pchat.chord.routing import ALTERNATIVES, Step, closest_before, finger_target, next_step
from p2pchat.identifiers import BITS, Arc, Identifier, between, distance
from p2pchat.simulation.circle import Circle

MESSAGE_SECONDS = 0.05
"""Mean delay of a message, exponentially distributed."""
LIST = 20
"""Successors of a node."""
FINGERS = 14
"""Fingers worth keeping among 1,000 nodes: nearer ones are in the successor list."""
KNOWN_AFTER_SECONDS = 2.0
"""Until a change is in everybody's node table; 60 nodes on a simulated network need 0.3 s for a newcomer, 1 to 2.4 s
for a failure."""


class Timetable:
    """What happens when; seconds since the beginning."""

    def __init__(self, random: Random) -> None:
        self.random, self.now = random, 0.0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def after(self, seconds: float, function: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heappush(self._heap, (self.now + seconds, self._count, function, arguments))

    def delay(self) -> float:
        """How long a message takes."""
        return self.random.expovariate(1 / MESSAGE_SECONDS)

    def run(self, until: Callable[[], bool]) -> None:
        while not until():
            self.now, _, function, arguments = heappop(self._heap)
            function(*arguments)


class System(Protocol):
    """One kind of ring; `circle` is the truth."""

    circle: Circle

    def join(self, node: Identifier) -> None: ...

    def leave(self, node: Identifier) -> None: ...

    def stabilize(self, node: Identifier) -> None: ...

    def alive(self, node: Identifier) -> bool: ...

    def step(self, node: Identifier, key: Identifier, without: set[Identifier]) -> Step: ...


class Classic:
    """Chord of 2001 to 2003: successor list, fingers, hints at departure; pointers are adopted as they are told."""

    def __init__(self, circle: Circle, times: Timetable) -> None:
        self.circle, self._times = circle, times
        self._successors = {node: circle.successors(node, LIST) for node in circle.points}
        self._predecessor = {node: circle.predecessor(node) for node in circle.points}
        self._fingers = {node: self._true_fingers(node) for node in circle.points}

    def _true_fingers(self, node: Identifier) -> dict[int, Identifier]:
        return {i: self.circle.owner(finger_target(node, i)) for i in range(BITS - FINGERS, BITS)}

    def alive(self, node: Identifier) -> bool:
        return node in self._successors

    def step(self, node: Identifier, key: Identifier, without: set[Identifier]) -> Step:
        """The closest preceding entry first; owned: no entry is before the key, the first one behind it owns it."""
        successors = [each for each in self._successors[node] if each not in without]
        if not successors or key in Arc(node, successors[0]):
            return Step(True, tuple(successors[:1]))
        known = {*successors, *self._fingers[node].values()}
        before = [each for each in known if each not in without and between(node, each, key)]
        return Step(False, (min(before, key=lambda each: distance(each, key)),))

    def join(self, node: Identifier) -> None:
        successor = self.circle.owner(node)
        self._successors[node] = [successor, *self._successors[successor][: LIST - 1]]
        self._predecessor[node] = self._predecessor[successor]
        self._fingers[node] = self._true_fingers(node)
        self._times.after(self._times.delay(), self._notify, successor, node)

    def _notify(self, node: Identifier, candidate: Identifier) -> None:
        """A changed predecessor is told to the old one."""
        if not self.alive(node) or not self.alive(candidate):
            return
        before = self._predecessor[node]
        if not self.alive(before) or between(before, candidate, node):
            self._predecessor[node] = candidate
            self._times.after(self._times.delay(), self._adopt, before, candidate)

    def _adopt(self, node: Identifier, successor: Identifier) -> None:
        if self.alive(node) and self.alive(successor) and between(node, successor, self._successors[node][0]):
            self._successors[node] = [successor, *self._successors[node][: LIST - 1]]
        if self.alive(successor) and successor not in self.circle:
            self.circle.add(successor)

    def leave(self, node: Identifier) -> None:
        before, list_ = self._predecessor[node], self._successors.pop(node)
        del self._predecessor[node], self._fingers[node]
        self.circle.remove(node)
        self._times.after(self._times.delay(), self._hear_leave, before, list_[0], node, list_)

    def _hear_leave(self, before: Identifier, following: Identifier, gone: Identifier, list_: list[Identifier]) -> None:
        if self.alive(before) and self._successors[before][:1] == [gone]:
            self._successors[before] = list_[:]
        if self.alive(following) and self._predecessor[following] == gone:
            self._predecessor[following] = before

    def stabilize(self, node: Identifier) -> None:
        """Refresh the successor and one finger."""
        list_ = self._successors[node]
        while list_ and not self.alive(list_[0]):
            list_.pop(0)
        if not list_:
            list_.append(self.circle.owner(Identifier(node + 1)))  # as a node that starts anew would
        successor = list_[0]
        candidate = self._predecessor[successor]
        if between(node, candidate, successor) and self.alive(candidate):
            successor = candidate
        self._successors[node] = [successor, *self._successors[successor][: LIST - 1]]
        self._notify(successor, node)
        index = self._times.random.randrange(BITS - FINGERS, BITS)
        self._fingers[node][index] = self.circle.owner(finger_target(node, index))


class Ours:
    """p2pchat: the state machine of `chord.ring`, and a node table that everybody has a little later."""

    def __init__(self, circle: Circle, times: Timetable) -> None:
        self.circle, self._times = circle, times
        self._known = Circle(circle.points)
        self._rings: dict[Identifier, Ring] = {}
        for node in circle.points:
            ring = self._rings[node] = Ring(node, LIST)
            ring.receive(Founded())
            ring.successors, ring.predecessor = tuple(circle.successors(node, LIST)), circle.predecessor(node)

    def alive(self, node: Identifier) -> bool:
        return node in self._rings

    def step(self, node: Identifier, key: Identifier, without: set[Identifier]) -> Step:
        """As a node answers: its live successors are those that it has not heard to be dead."""
        successors = [each for each in self._rings[node].successors if each not in without]
        table = closest_before(self._known.points, key, ALTERNATIVES + len(without))
        return next_step(node, key, successors, [each for each in table if each not in without])

    def _feed(self, node: Identifier, event: Event) -> None:
        waiting: list[tuple[Identifier, Action]] = [(node, each) for each in self._rings[node].receive(event)]
        while waiting:
            asker, action = waiting.pop(0)
            following = self._answer(action)
            if following is not None and asker in self._rings:
                target = action.node if isinstance(action, Tell) else asker
                event = Notified(asker) if isinstance(action, Tell) else following
                waiting += [(target, each) for each in self._rings[target].receive(event)]

    def _answer(self, action: Action) -> Event | None:
        match action:
            case Ask(node):
                if node not in self._rings:
                    return Failed(node)
                view = self._rings[node].view()
                return Pended(node) if view is None else Answered(node, view)
            case Check(node):
                return Alive(node) if node in self._rings else Failed(node)
            case Tell(node) if node in self._rings:
                return Notified(node)
        return None

    def join(self, node: Identifier) -> None:
        contact = self.circle.predecessor(node)
        view = self._rings[contact].view()
        if view is None:
            return
        ring = self._rings[node] = Ring(node, LIST)
        actions = ring.receive(Joined(contact, view))
        if not ring.member:
            del self._rings[node]
            return
        for action in actions:
            if isinstance(action, Ask):
                self._feed(node, self._answer(action) or Failed(action.node))
        self._times.after(self._times.delay() + self._times.delay(), self._discovered, contact, node)

    def _discovered(self, contact: Identifier, node: Identifier) -> None:
        """The predecessor compared tables with the newcomer."""
        if not self.alive(node):
            return
        if self.alive(contact):
            self._feed(contact, Discovered(node))
        if node not in self.circle:
            self.circle.add(node)
            self._times.after(KNOWN_AFTER_SECONDS, self._spread, node)

    def _spread(self, node: Identifier) -> None:
        if self.alive(node) and node not in self._known:
            self._known.add(node)
        elif not self.alive(node) and node in self._known:
            self._known.remove(node)

    def leave(self, node: Identifier) -> None:
        ring = self._rings.pop(node)
        if node in self.circle:
            self.circle.remove(node)
        self._times.after(KNOWN_AFTER_SECONDS, self._spread, node)
        for told in dict.fromkeys((ring.predecessor, *ring.successors)):
            if told is not None:
                self._times.after(self._times.delay(), self._hear_leave, told, node)

    def _hear_leave(self, node: Identifier, gone: Identifier) -> None:
        if self.alive(node) and not self.alive(gone):
            self._feed(node, Failed(gone))

    def stabilize(self, node: Identifier) -> None:
        self._feed(node, Stabilized())
