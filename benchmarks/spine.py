"""A ring of five and two people: seconds to form and to heal, memory, and processor time at rest.

python -m benchmarks.spine [--runs N] [--settle SECONDS] [--rest SECONDS] [--json]
"""

import argparse
import secrets
from typing import Any

from twisted.internet.task import deferLater

from benchmarks.costs import cpu_ms, memory_kib
from benchmarks.installed import compile_modules
from benchmarks.rings import Figures, measure_in_turn
from p2pchat.cli import running
from p2pchat.cli.demo_world import World
from p2pchat.client import commands

NODES = 5
MESSAGES = 20


def main() -> None:
    """Measure so many rings, one after the other, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="rings to measure (3)")
    parser.add_argument("--settle", type=float, default=120.0, help="seconds from the last message to the rest (120)")
    parser.add_argument("--rest", type=float, default=60.0, help="seconds of rest (60)")
    parser.add_argument("--json", action="store_true", help="one JSON object a ring")
    options = parser.parse_args()

    compile_modules()

    async def act(reactor: Any) -> None:
        async def once(_: int) -> Figures:
            world = World(reactor)
            try:
                return await measure(world, options.settle, options.rest)
            finally:
                world.close()

        await measure_in_turn(options, once)

    running.run(act)


async def measure(world: World, settle: float, rest: float) -> Figures:
    """One ring, from nothing to a healed one."""
    began = world.reactor.seconds()
    world.create_ring()
    await world.start_nodes(NODES)
    await world.until(lambda: whole(world, NODES), "the ring does not form")
    formed = world.reactor.seconds() - began
    await world.until(lambda: grown(world), "the slots do not grow")
    figures = {"ring formed, s": formed, "slots on five nodes, s": world.reactor.seconds() - began}
    for person, gateway in (("alice", 0), ("bob", 2)):
        link = await world.start_agent(person, [world.nodes[gateway].ready[3]])
        began = world.reactor.seconds()
        await link.callRemote(commands.Register, user=person, password=secrets.token_urlsafe(16))
        figures[f"{person} registers, s"] = world.reactor.seconds() - began
    link = await world.link("alice")
    for number in range(MESSAGES):
        await link.callRemote(commands.Send, to="bob", text=f"message {number}", wait="delivered")
    await deferLater(world.reactor, settle)
    figures |= await resting(world, rest)
    victim = world.nodes[-1]
    world.kill(victim)
    began = world.reactor.seconds()
    await world.until(lambda: whole(world, NODES - 1), "the ring does not heal")
    return figures | {"healed after a kill, s": world.reactor.seconds() - began}


async def whole(world: World, count: int) -> bool:
    """Whether every node sees the others ready and itself between its true neighbours."""
    for program in world.nodes:
        rows = [row for row in await world.rows(program) if row.state == "ready"]
        names = sorted(row.node for row in rows)
        if len(names) != count:
            return False
        for row in rows:
            place = names.index(row.node)
            if row.predecessor != names[place - 1] or row.successors[0] != names[(place + 1) % count]:
                return False
    return True


async def grown(world: World) -> bool:
    """Whether every slot has as many members as it wants."""
    rows = await world.rows(world.nodes[0])
    return all(row.members_least == row.members_wanted == NODES for row in rows)


async def resting(world: World, seconds: float) -> dict[str, float]:
    """Memory and processor time of nodes and agents while nobody does anything: the worst of each."""
    programs = {"node": world.nodes, "agent": list(world.agents.values())}
    groups = {name: [each.process.pid for each in group] for name, group in programs.items()}
    before = {pid: cpu_ms(pid) for group in groups.values() for pid in group}
    await deferLater(world.reactor, seconds)
    figures = {}
    for name, group in groups.items():
        figures[f"{name} memory, MiB"] = max(map(memory_kib, group)) / 1024
        used = max(cpu_ms(pid) - before[pid] for pid in group)
        figures[f"{name} at rest, % of a core"] = 100 * used / 1000 / seconds
    return figures


if __name__ == "__main__":
    main()
