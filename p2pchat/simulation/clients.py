"""Clients of a simulated ring: they ask random nodes, and all that they began must end once the faults are mended."""

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from p2pchat.errors import NoQuorum
from p2pchat.identifiers import Identifier
from p2pchat.replication.service import ReplicationService
from p2pchat.simulation.chaos import Chaos
from p2pchat.simulation.faults import Plan
from p2pchat.simulation.world import World

T = TypeVar("T")
PATIENCE_SECONDS = 120.0
"""How long after the last fault everything must have come to its end."""
CLOSE_SECONDS = 0.5
"""How close to a fault half of the operations begin: that is where bugs are."""
PAUSE_SECONDS = 1.0
"""Between two tries of the last checks."""


class Clients:
    """Starts operations at random times, numbers the events, and brings a run to its end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.stream("clients")
        self._loyal = world.stream("loyalty")
        self._favourite = self._loyal.randrange(len(world.machines))
        self._loyalty = self._loyal.choice((0.0, 0.0, 0.7))
        self._ticks = 0
        self._open = 0
        self._wrong: list[str] = []

    def tick(self) -> int:
        """The next place in the order of events."""
        self._ticks += 1
        return self._ticks

    async def ask(self, question: Callable[[ReplicationService], Coroutine[Any, Any, T]]) -> T:
        """`ask_node` where it does not matter which node it is."""
        return await self.ask_node(lambda service, node: question(service))

    async def ask_node(self, question: Callable[[ReplicationService, Identifier], Coroutine[Any, Any, T]]) -> T:
        """Let a random node do it, in a third of the runs mostly the same one: what a node remembers is used then.

        Raises:
            NoQuorum: none is up.
            UnknownOutcome: it crashed over it.
        """
        living = self._world.living()
        if not living:
            raise NoQuorum("No node is up.")
        life = self._chance.choice(living)
        favourite = self._world.machines[self._favourite].life
        if favourite is not None and self._loyal.random() < self._loyalty:
            life = favourite
        return await life.ask(question(life.service, life.node))

    def plan(
        self, chance: Random, count: int, faults: Plan, operate: Callable[[int], Coroutine[Any, Any, None]]
    ) -> None:
        """Begin `count` operations, numbered from 1, at random times; half of them close to a fault."""
        self._open += count
        moments = [each.when for each in faults.faults]
        for number in range(1, count + 1):
            when = chance.uniform(0, faults.until)
            if moments and chance.random() < 0.5:
                when = max(0.0, chance.choice(moments) + chance.uniform(-CLOSE_SECONDS, CLOSE_SECONDS))
            self._world.clock.at(when, self._begin, number, operate)

    def run(self, chaos: Chaos, last: Callable[[], Coroutine[Any, Any, bool]], until: float) -> list[str]:
        """Run to the end of all operations, then `last` until it succeeds; whatever went wrong on the way."""
        world = self._world
        for number in range(len(world.machines)):
            world.start(number)
        clock = world.clock
        if not clock.run_while(lambda: self._open > 0 or not chaos.over, until + PATIENCE_SECONDS):
            self._wrong.append(f"{self._open} operations never ended")
        finished = Deferred.fromCoroutine(self._finish(last))
        if not clock.run_while(lambda: not finished.called, PATIENCE_SECONDS):
            self._wrong.append(f"after all faults were mended, the ring did not serve again {world.behind()}")
        finished.addErrback(self._note_failure)
        for failure in world.network.failures:
            self._note_failure(failure)
        return self._wrong

    async def _finish(self, last: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        while not await last() or self._world.behind():
            pause: Deferred[None] = Deferred()
            self._world.clock.callLater(PAUSE_SECONDS, pause.callback, None)
            await pause

    def _begin(self, number: int, operate: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        def ended(result: Any) -> None:
            self._open -= 1

        Deferred.fromCoroutine(operate(number)).addErrback(self._note_failure).addBoth(ended)

    def _note_failure(self, failure: Failure) -> None:
        self._wrong.append(f"unforeseen {failure.getTraceback()}")
