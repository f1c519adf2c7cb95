"""`simulate partitions`: a ring is cut into two and into three parts for a while, and must be one again soon after.

The parts are drawn, so they are no arcs of the circle; each becomes a ring of its own.  `seconds` is the mean, `worst`
the longest time from the moment in which messages pass again until every node has its true neighbours and takes
exactly the running nodes for live.  `unhealed` counts the rings that were not one after 30 virtual seconds.
"""

import argparse
from collections.abc import Iterator
from random import Random
from typing import Any

from p2pchat.identifiers import Identifier
from p2pchat.simulation.circle import mean
from p2pchat.simulation.mesh import Mesh
from p2pchat.simulation.papers import Papers
from p2pchat.simulation.report import LoggedFailures, seeds

NODES = 30
PARTS = (2, 3)
SHORTEST_SECONDS, LONGEST_SECONDS = 5.0, 60.0
"""How long the parts cannot hear each other."""
HEAL_SECONDS = 30.0


def healed(papers: Papers, seed: int, parts: int, nodes: int = NODES) -> float | None:
    """Seconds until a ring that was cut into parts is one again; None: not in time, or a service failed."""
    chance = Random(f"partitions {parts} {seed}")
    mesh = Mesh(papers, nodes, f"{parts} {seed}", coded=False)
    mesh.build(range(1, nodes + 1))
    mesh.clock.advance(chance.uniform(1.0, 10.0))
    drawn = chance.sample(mesh.identifiers(), nodes)
    mesh.network.partition(drawn[part::parts] if seed % 2 else _uneven(drawn, parts, part) for part in range(parts))
    mesh.clock.advance(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
    mesh.network.mend()
    seconds = mesh.seconds_until(mesh.agreed, HEAL_SECONDS)
    mesh.stop()
    return None if mesh.network.failures else seconds


def _uneven(drawn: list[Identifier], parts: int, part: int) -> list[Identifier]:
    """Parts of three nodes each, and a last one with the rest."""
    return drawn[3 * part : 3 * part + 3] if part < parts - 1 else drawn[3 * part :]


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each number of parts."""
    papers = Papers("partitions")
    for part, parts in enumerate(PARTS):
        with LoggedFailures() as logged:
            tried = seeds(options, part, len(PARTS))
            taken = [healed(papers, seed, parts, options.nodes or NODES) for seed in tried]
            wrong = len(logged.taken())
        seconds = [each for each in taken if each is not None]
        yield {
            "parts": parts,
            "seeds": options.seeds,
            "seconds": mean(seconds),
            "worst": round(max(seconds, default=0.0), 2),
            "unhealed": len(taken) - len(seconds) + wrong,
        }
