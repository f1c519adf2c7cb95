"""`simulate ring`: random events on rings of 4 to 9 nodes, judged by every predicate after each one.

`perfect`: failure detection as the proof assumes it, lists of 2 or 3; no predicate may ever be false.  `imperfect`: of
50 questions to live nodes one ends as if they were dead; how often a predicate is then false is counted (`false` steps,
`rate` per 10,000).  Both must be ideal once nothing fails any more.  `services`: the real service of a node under loss,
lag, one-way cuts, kills and restarts; `seconds` is the longest time from the last fault to one ideal ring.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from p2pchat.chord.ring import Ring
from p2pchat.simulation.mesh import Mesh
from p2pchat.simulation.network import Weather
from p2pchat.simulation.papers import Papers
from p2pchat.simulation.report import LoggedFailures, seeds
from p2pchat.simulation.ringworld import MakeRing, RingWorld

LEAST_NODES, MOST_NODES = 4, 9
EVENTS = 1_000
"""Of each seed."""
SUSPICION = 0.02
SERVICES_EACH = 20
"""Seeds for one run of real services, which takes as long as many of the others."""
STORM_SECONDS = 20.0
STORM = Weather(0.001, 0.1, loss=0.15, lag=0.15, lagging=4.0)
BLOW_SECONDS = 2.0
"""Mean time between two kills, restarts or cuts."""
HEAL_SECONDS = 30.0
"""A ring of less than 17 nodes is ideal again so soon."""
PER = 10_000
BLOCKS = 4
"""Rows of each kind, with the sums so far."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The sum of some runs; the columns of a row."""

    system: str
    seeds: int = 0
    events: int = 0
    violations: int = 0
    false: int = 0
    unhealed: int = 0
    seconds: float = 0.0

    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = {"system": self.system, "seeds": self.seeds, "events": self.events}
        if self.system == "perfect":
            row["violations"] = self.violations
        if self.system == "imperfect":
            row |= {"false": self.false, "rate": round(PER * self.false / max(1, self.events), 2)}
        if self.system == "services":
            row["seconds"] = round(self.seconds, 2)
        return row | {"unhealed": self.unhealed}


def world(seed: int, suspicion: float = 0.0, make: MakeRing = Ring, nodes: int = MOST_NODES) -> RingWorld:
    """A ring at its beginning: lists of 2 or 3, up to `nodes` members, few free points so that rejoins are common."""
    random = Random(f"ring {suspicion} {seed}")
    length, points = 2 + seed % 2, random.choice((16, 32, 64))
    start = random.sample(range(points), max(LEAST_NODES, length + 1) + random.randrange(3))
    made = RingWorld.ideal(start, length, random, make)
    made.suspicion, made.points, made.most = suspicion, points, nodes
    return made


def turned(tally: Tally, seed: int, nodes: int) -> Tally:
    """One seed of the state machines."""
    imperfect = tally.system == "imperfect"
    made = world(seed, SUSPICION if imperfect else 0.0, nodes=nodes)
    made.run(EVENTS)
    made.suspicion = 0.0
    false, events = made.false, made.events
    healed = made.settle(hints=imperfect)
    return replace(
        tally,
        seeds=tally.seeds + 1,
        events=tally.events + events,
        violations=tally.violations + (0 if imperfect else made.false),
        false=tally.false + false,
        unhealed=tally.unhealed + (not healed),
    )


class Storm:
    """Real services under faults until `over`."""

    def __init__(self, papers: Papers, seed: int, nodes: int) -> None:
        self._chance = Random(f"storm {seed}")
        self.mesh = Mesh(papers, self._chance.randint(LEAST_NODES, nodes), seed)
        self.mesh.build(range(1, self.mesh.count + 1))
        self.mesh.network.weather = STORM
        self.blows = 0
        self._lives = dict.fromkeys(self.mesh.nodes, 1)
        self._kept: dict[int, bytes] = {}
        self._blow_later()

    def _blow_later(self) -> None:
        self.mesh.clock.callLater(self._chance.expovariate(1 / BLOW_SECONDS), self._blow)

    def _blow(self) -> None:
        if self.mesh.clock.seconds() >= STORM_SECONDS:
            return
        self.blows += 1
        mesh, chance = self.mesh, self._chance
        down = [number for number in self._lives if number not in mesh.nodes]
        up = sorted(mesh.nodes)
        what = chance.random()
        if what < 0.4 and len(up) > 1:
            number = chance.choice(up)
            self._kept[number] = mesh.nodes[number].service.table.dump()
            mesh.kill(number, noticed=chance.random() < 0.5)
        elif what < 0.7 and down:
            self._start(chance.choice(down))
        elif len(up) > 1:
            one, other = chance.sample(up, 2)
            mesh.network.cut(mesh.nodes[one].identifier, mesh.nodes[other].identifier)
        self._blow_later()

    def _start(self, number: int) -> None:
        self._lives[number] += 1
        self.mesh.start(number, kept=self._kept[number], sequence=self._lives[number])

    def over(self) -> float | None:
        """Let it blow, mend everything; seconds until the ring is ideal, None if that takes too long."""
        self.mesh.clock.run_until(STORM_SECONDS)
        self.mesh.network.weather = Weather()
        self.mesh.network.mend()
        for number in self._lives:
            if number not in self.mesh.nodes:
                self._start(number)
        seconds = self.mesh.seconds_until(self.mesh.agreed, HEAL_SECONDS)
        self.mesh.stop()
        return seconds


def stormed(tally: Tally, seed: int, nodes: int, papers: Papers) -> Tally:
    """One seed of real services."""
    with LoggedFailures() as logged:
        storm = Storm(papers, seed, nodes)
        seconds = storm.over()
        wrong = seconds is None or bool(storm.mesh.network.failures or logged.taken())
    return replace(
        tally,
        seeds=tally.seeds + 1,
        events=tally.events + storm.mesh.network.messages,
        unhealed=tally.unhealed + wrong,
        seconds=max(tally.seconds, seconds or HEAL_SECONDS),
    )


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """For each kind of run its sums, a few times on the way."""
    nodes, papers = max(LEAST_NODES, options.nodes or MOST_NODES), Papers("ring")
    systems = ("perfect", "imperfect", "services")
    for part, system in enumerate(systems):
        tally = Tally(system)
        count = -(-options.seeds // SERVICES_EACH) if system == "services" else options.seeds
        for seed in seeds(options, part, len(systems), count):
            tally = stormed(tally, seed, nodes, papers) if system == "services" else turned(tally, seed, nodes)
            if tally.seeds % -(-count // BLOCKS) == 0 or tally.seeds == count:
                yield tally.row()
