"""Nodes of a ring of five die: for how long slots do not answer, when all is repaired, and what is left at the end.

python -m benchmarks.availability [--runs N] [--accounts N] [--messages N] [--writers N] [--silent] [--json]

Four nodes are processes of their own on loopback; the fifth is the measuring process.  Accounts and mail are prepared
as signed records.  Writers change registers about twice a second and try again when that fails: for so long a slot did
not answer, from the beginning of a change to its success.  First two nodes are killed (SIGKILL) at once, or fall
silent (SIGSTOP); when the ring is repaired a third is killed; then a fourth, which leaves one of three members: every
operation must say NO_QUORUM.  Then the dead are given up (`ring evict --lost-majority`), and everything is read.

Two people have agents of their own at the node that is left.  One registers in the moment in which two nodes die; the
other after the fourth has died, and again when the dead are given up.
"""

import argparse
import os
import secrets
import signal
import statistics
import sys
from dataclasses import dataclass
from functools import partial
from math import nan
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from benchmarks.everything import Everything
from benchmarks.rings import Figures, measure_in_turn, on_a_ring
from benchmarks.within import MeasuredRing
from benchmarks.writers import VALUE_BYTES, Writers
from p2pchat.cli import running
from p2pchat.cli.demo_world import Program
from p2pchat.client import commands
from p2pchat.errors import NoQuorum, P2PChatError
from p2pchat.replication.configuration import State

VICTIMS = 2
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 10.0
REPAIR_SECONDS = 120.0
NOTICE_SECONDS = 1.0
REGISTER_SECONDS = 20.0
ASKED = 50


def main() -> None:
    """Measure several rings, each of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="rings to measure (3)")
    parser.add_argument("--accounts", type=int, default=1_000, help="prepared accounts (1,000)")
    parser.add_argument("--messages", type=int, default=10, help="prepared messages for each account (10)")
    parser.add_argument("--writers", type=int, default=200, help="registers that are changed meanwhile (200)")
    parser.add_argument("--silent", action="store_true", help="the first two fall silent instead of dying")
    parser.add_argument("--json", action="store_true", help="one JSON object a ring")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Every ring, and the figures of all of them."""

    async def once(number: int) -> Figures:
        return await on_a_ring(reactor, lambda ring: measure(ring, options, Random(number)))

    await measure_in_turn(options, once)


async def measure(ring: MeasuredRing, options: argparse.Namespace, chance: Random) -> Figures:
    """One ring, to its last node."""
    everything = Everything(ring, options.accounts, options.messages)
    await everything.create()
    people = [await Newcomer.arrive(ring, name) for name in ("carol", "dave")]
    writers = Writers(ring, options.writers)
    await writers.start()
    await deferLater(ring.reactor, BEFORE_SECONDS)
    nodes = list(ring.world.nodes)
    chance.shuffle(nodes)
    figures = await lose_two(ring, writers, people[0], nodes[:VICTIMS], options.silent)
    figures |= await lose_third(ring, writers, nodes[VICTIMS])
    await writers.stop()
    figures |= await lose_fourth(ring, people[1], nodes[-1], options.writers)
    return figures | await give_up(ring, everything, people[1], nodes)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who has an agent and no account yet."""

    ring: MeasuredRing
    name: str
    link: Any

    @classmethod
    async def arrive(cls, ring: MeasuredRing, name: str) -> "Newcomer":
        """Start the agent, at the node that runs here."""
        return cls(ring, name, await ring.world.start_agent(name, [ring.clients]))

    async def register(self) -> float:
        """How many seconds a registration takes."""
        began = self.ring.reactor.seconds()
        password = secrets.token_urlsafe(16)
        await self.link.callRemote(commands.Register, user=self.name, password=password, timeout=REGISTER_SECONDS)
        return float(self.ring.reactor.seconds() - began)

    async def fail_to_register(self) -> float:
        """After how many seconds the agent says NO_QUORUM; not a number if it does not."""
        began = self.ring.reactor.seconds()
        try:
            await self.register()
        except NoQuorum:
            return float(self.ring.reactor.seconds() - began)
        except P2PChatError as error:
            print(f"{self.name} was told:", error, file=sys.stderr)
        return nan


async def lose_two(
    ring: MeasuredRing, writers: Writers, person: Newcomer, victims: list[Program], silent: bool
) -> Figures:
    """Two at once, and wait until every slot has only living members."""
    clock = ring.reactor
    before = max(writers.waits(clock.seconds() - BEFORE_SECONDS, clock.seconds()))
    killed = clock.seconds()
    if silent:
        for each in victims:
            each.process.send_signal(signal.SIGSTOP)
    else:
        ring.world.kill(*victims)
    registered = Deferred.fromCoroutine(person.register())
    left = len(ring.world.nodes) + 1 - (VICTIMS if silent else 0)

    async def repaired() -> bool:
        status, records = await ring.service.status(), ring.service.movement.records.values()
        whole = all(len(each.newest.members) == left for each in records if each.state is not State.RETIRED)
        return whole and status.moving == 0 and status.deficit == 0

    repair = await ring.until(repaired, "the ring does not heal", REPAIR_SECONDS)
    if silent:
        ring.world.kill(*victims)
    longest = writers.longest(killed, clock.seconds())
    return {
        "slots watched": len(longest),
        "longest change before, s": before,
        "two die: slot silent, median, s": statistics.median(longest),
        "two die: slot silent, longest, s": max(longest),
        "two die: a person registers, s": await registered,
        "two die: repaired after, s": repair,
    }


async def lose_third(ring: MeasuredRing, writers: Writers, victim: Program) -> Figures:
    """One of three: the other two go on."""
    killed = ring.reactor.seconds()
    ring.world.kill(victim)
    await deferLater(ring.reactor, AFTER_SECONDS)
    longest = writers.longest(killed, ring.reactor.seconds())
    return {
        "a third dies: slot silent, median, s": statistics.median(longest),
        "a third dies: slot silent, longest, s": max(longest),
    }


async def lose_fourth(ring: MeasuredRing, person: Newcomer, victim: Program, registers: int) -> Figures:
    """One of three members is left: nothing can be done any more, and everybody is told so.

    Changes that had left before the death was noticed may answer UNKNOWN_OUTCOME; so those of a moment later count.
    """
    ring.world.kill(victim)
    await deferLater(ring.reactor, NOTICE_SECONDS)
    taken: list[float] = []
    wrong: list[object] = []

    async def ask(number: int) -> None:
        began = ring.reactor.seconds()
        try:
            await ring.put(number % registers, secrets.token_bytes(VALUE_BYTES), secrets.token_bytes(16))
            wrong.append(number)
        except NoQuorum:
            taken.append(ring.reactor.seconds() - began)
        except P2PChatError as error:
            wrong.append(error)

    told = Deferred.fromCoroutine(person.fail_to_register())
    asked = [Deferred.fromCoroutine(ask(number)) for number in range(ASKED)]
    await DeferredList(asked, fireOnOneErrback=True)
    if wrong:
        print("after the fourth:", *wrong, file=sys.stderr)
    return {
        "a fourth dies: NO_QUORUM after, median, s": statistics.median(taken or [nan]),
        "a fourth dies: NO_QUORUM after, longest, s": max(taken, default=nan),
        "a fourth dies: a person is told so after, s": await told,
        "a fourth dies: other answers": len(wrong),
    }


async def give_up(ring: MeasuredRing, everything: Everything, person: Newcomer, dead: list[Program]) -> Figures:
    """Go on with what the last node has."""
    began = ring.reactor.seconds()
    words = ["ring", "evict", "--lost-majority", *(each.ready[0] for each in dead)]
    where = ["--authority", str(ring.world.authority), "--data", str(ring.folder)]
    command = ["-P", "-m", "p2pchat.cli.main", *words, *where]
    output, errors, status = await getProcessOutputAndValue(
        sys.executable, command, dict(os.environ), reactor=ring.reactor
    )
    if status:
        raise P2PChatError(f"the dead are not given up: {(output + errors).decode()}")
    evicted = ring.reactor.seconds() - began
    missing = await everything.missing()
    read = ring.reactor.seconds() - began
    return {
        "given up after, s": evicted,
        "everything read after, s": read,
        "then a person registers, s": await person.register(),
        "records missing": missing,
    }


if __name__ == "__main__":
    main()
