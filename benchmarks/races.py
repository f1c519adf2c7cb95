"""Two gateways register the same name at once while nodes are killed and started again: nothing doubled, nothing lost.

python -m benchmarks.races [--loops N] [--seed S] [--json]

Four nodes are processes of their own on loopback, two run in the measuring process and are the gateways.  In each
loop one or two of the four are killed (SIGKILL) at a random moment of the races and started again; each race creates
one name from both gateways, a few milliseconds apart, and each contender repeats its operation until it knows who won.
At the end every name is read from both gateways.
"""

import argparse
import json
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from benchmarks.everything import created
from benchmarks.within import NODES, MeasuredRing, key
from p2pchat.cli import running
from p2pchat.errors import P2PChatError
from p2pchat.replication.service import ReplicationService

RACES = 10
"""Names of one loop."""
APART_SECONDS = 0.02
LOOP_SECONDS = 1.0
TRY_SECONDS = 5.0
PAUSE_SECONDS = 0.05
READ_SECONDS = 60.0
"""For so long a name is read again when too few nodes answer."""


def main() -> None:
    """Run the loops and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loops", type=int, default=100, help="kills and restarts (100)")
    parser.add_argument("--seed", type=int, default=1, help="of all chance (1)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    running.run(partial(measure, options))


@dataclass(slots=True)
class Races:
    """What contenders were told, by number of the name."""

    told: dict[int, set[bytes]] = field(default_factory=dict)
    repeated: int = 0
    """Tries whose outcome was not known at once."""

    async def contend(self, clock: Any, service: ReplicationService, number: int, value: bytes) -> None:
        """Create a name, or learn who has it."""
        while True:
            try:
                done = await service.change(key(number), partial(created, value), value, TRY_SECONDS)
            except P2PChatError:
                self.repeated += 1
                await deferLater(clock, PAUSE_SECONDS)
                continue
            self.told.setdefault(number, set()).add(done.value or b"")
            return


async def measure(options: argparse.Namespace, reactor: Any) -> None:
    """All loops on one ring."""
    ring, second = MeasuredRing(reactor, NODES + 1), MeasuredRing(reactor)
    try:
        await ring.start_with(second)
        races = Races()
        began, chance = reactor.seconds(), Random(options.seed)
        kills = 0
        for loop in range(options.loops):
            kills += await one_loop(ring, second, races, loop, chance)
        row = {"loops": options.loops, "kills": kills, "names": len(races.told), "repeated": races.repeated}
        row |= await judged(ring, second, races) | {"seconds": round(reactor.seconds() - began, 1)}
        print(json.dumps(row) if options.json else "   ".join(f"{name} {value}" for name, value in row.items()))
    finally:
        await second.end_within()
        await ring.close()


async def one_loop(ring: MeasuredRing, second: MeasuredRing, races: Races, loop: int, chance: Random) -> int:
    """Races around the death of one or two nodes; how many died."""
    clock, work = ring.reactor, []
    for number in range(loop * RACES, (loop + 1) * RACES):
        starts = chance.random() * LOOP_SECONDS
        for name, gateway in ((b"first", ring), (b"second", second)):
            value = b"%s %d" % (name, number)
            later = deferLater(clock, starts + chance.random() * APART_SECONDS, lambda: None)
            work.append(Deferred.fromCoroutine(_after(later, races.contend(clock, gateway.service, number, value))))
    victims = chance.sample(ring.world.nodes, chance.choice((1, 2)))
    await deferLater(clock, chance.random() * LOOP_SECONDS)
    ring.world.kill(*victims)
    await deferLater(clock, chance.random() * LOOP_SECONDS)
    for each in victims:
        await ring.world.start_beside(each, ring.world.nodes[0])
    await DeferredList(work, fireOnOneErrback=True)
    return len(victims)


async def _after(later: Deferred[None], work: Any) -> None:
    await later
    await work


async def judged(ring: MeasuredRing, second: MeasuredRing, races: Races) -> dict[str, int]:
    """Names of which two contenders were told differently, and names that are not what they were told."""
    doubled = sum(len(values) > 1 for values in races.told.values())
    lost = 0
    for number, values in races.told.items():
        for gateway in (ring, second):
            lost += await found(gateway, number) not in values
    return {"doubled": doubled, "lost": lost}


async def found(gateway: MeasuredRing, number: int) -> bytes | None:
    """What a name holds; asked again while the last ones that were killed come back."""
    until = gateway.reactor.seconds() + READ_SECONDS
    while True:
        try:
            return (await gateway.service.read(key(number), TRY_SECONDS)).value
        except P2PChatError:
            if gateway.reactor.seconds() >= until:
                raise
            await deferLater(gateway.reactor, PAUSE_SECONDS)


if __name__ == "__main__":
    main()
