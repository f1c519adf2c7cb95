"""How long presence is wrong: from the death of an agent, with and without the owners of its account, until it is seen.

python -m benchmarks.presence [--runs N] [--json]
"""

import argparse
import json
import secrets
import statistics
from typing import Any

from p2pchat.cli import running
from p2pchat.cli.demo_world import World
from p2pchat.cli.ring_watch import open_admin
from p2pchat.client import commands
from p2pchat.identifiers import name
from p2pchat.server import commands as server
from p2pchat.wire.connection import Link, call

NODES = 5
ASK_SECONDS = 30.0


def main() -> None:
    """Measure several deaths, each on a ring of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="rings to measure (3)")
    parser.add_argument("--json", action="store_true", help="one JSON object for each kind of death")
    options = parser.parse_args()

    async def act(reactor: Any) -> None:
        for with_owner in (False, True):
            taken = []
            for _ in range(options.runs):
                world = World(reactor)
                try:
                    taken.append(await measure(world, with_owner))
                finally:
                    world.close()
            title = "agent and the account's owner die" if with_owner else "an agent dies"
            wrong, known = (statistics.median(each) for each in zip(*taken, strict=True))
            if options.json:
                row = {"death": title, "presence is wrong, s": wrong, "offline after, s": known}
                print(json.dumps(row), flush=True)
                continue
            print(f"{title:<36} wrong for {wrong:.1f} s, offline after {known:.1f} s", flush=True)

    running.run(act)


async def measure(world: World, with_owner: bool) -> tuple[float, float]:
    """Seconds until alice's agent no longer says that bob is online, and until it says that he is offline."""
    world.create_ring()
    await world.start_nodes(NODES)
    alice = await join(world, "alice", 0)
    await join(world, "bob", 2)
    await alice.callRemote(commands.Send, to="bob", text="hello", wait="delivered", timeout=ASK_SECONDS)
    await world.until(lambda: sees(alice, "online"), "bob is never online")
    admin = await open_admin(world.reactor, world.nodes[0].folder)
    traced = await call(admin, world.reactor, server.AskTrace, timeout=ASK_SECONDS, target="bob")
    admin.close()
    if with_owner:
        world.kill(*(node for node in world.nodes if node.ready[0] == name(traced["owner"])))
    program = world.agents["bob"]
    program.process.kill()
    program.process.wait()
    began = world.reactor.seconds()

    async def gone() -> bool:
        return not await sees(alice, "online")

    await world.until(gone, "bob stays online")
    wrong = world.reactor.seconds() - began
    await world.until(lambda: sees(alice, "offline"), "bob is never offline")
    return wrong, world.reactor.seconds() - began


async def join(world: World, person: str, gateway: int) -> Link:
    """Somebody new at a node; a link to their agent."""
    order = [*world.nodes[gateway:], *world.nodes[:gateway]]
    link = await world.start_agent(person, [each.ready[3] for each in order])
    await link.callRemote(commands.Register, user=person, password=secrets.token_urlsafe(16), timeout=ASK_SECONDS)
    return link


async def sees(link: Link, presence: str) -> bool:
    """Whether the agent says so of bob."""
    answer = await link.callRemote(commands.Status, user="bob", timeout=ASK_SECONDS)
    return bool(answer["person"]["presence"] == presence)


if __name__ == "__main__":
    main()
