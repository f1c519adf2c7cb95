"""Direct chat between two agents: sealed, on both disks, acknowledged; beside LXMF's direct delivery where it is there.

python -m benchmarks.chat [--seconds S] [--rounds N] [--lxmf PYTHON] [--json]

Alice's and bob's agents are real ones at a ring of three nodes, all on loopback.  Each message goes over the control
socket of alice's agent and counts once bob's agent has it on its disk and alice's knows.  LXMF (which keeps nothing on
disk) runs in turn with ours, in two processes of its own: `--lxmf` is a Python that has it, made by
`python3 -m venv V && V/bin/pip install lxmf`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThread

from benchmarks.costs import cpu_ms, rates, written_kib
from benchmarks.presence import join, sees
from p2pchat.cli import running
from p2pchat.cli.demo_world import World
from p2pchat.client import commands
from p2pchat.errors import P2PChatError
from p2pchat.wire.connection import Link

NODES = 3
WIDTHS = (1, 64)
BYTES = 300
WORDS = sorted({word for word in (__doc__ or "").split() if word.isalpha()})
SEND_SECONDS = 60.0
PEER = Path(__file__).with_name("lxmf_direct.py")


class Ours:
    """Two agents with a channel between them."""

    name = "p2pchat"

    def __init__(self, world: World, link: Link) -> None:
        self._world, self._link = world, link

    @classmethod
    async def start(cls, world: World) -> "Ours":
        """Returns when a message has gone directly."""
        world.create_ring()
        await world.start_nodes(NODES)
        alice, bob = await join(world, "alice", 0), await join(world, "bob", 1)
        await alice.callRemote(commands.Add, user="bob", timeout=SEND_SECONDS)
        await bob.callRemote(commands.Add, user="alice", timeout=SEND_SECONDS)
        await bob.callRemote(commands.Send, to="alice", text="hello", wait="delivered", timeout=SEND_SECONDS)
        ours = cls(world, alice)
        await world.until(lambda: sees(alice, "online"), "bob is never online")
        await world.until(ours._goes_directly, "no message goes directly")
        return ours

    async def _goes_directly(self) -> bool:
        told = await self._link.callRemote(commands.Why, id=await self.send("hello"))
        return any(step.get("way") == "direct" for step in told["steps"])

    async def send(self, text: str) -> str:
        """One message, to its acknowledgement; its id."""
        told = await self._link.callRemote(commands.Send, to="bob", text=text, wait="delivered", timeout=SEND_SECONDS)
        if told["status"]:
            raise P2PChatError(str(told["reason"]))
        return str(told["sent"]["id"])

    async def measure(self, width: int, seconds: float) -> dict[str, float]:
        """Messages per second, milliseconds of one, processor time of both agents."""
        agents = [each.process.pid for each in self._world.agents.values()]
        taken: list[float] = []
        text = " ".join(Random(width).choices(WORDS, k=BYTES))[:BYTES]
        before, wrote, began = sum(map(cpu_ms, agents)), sum(map(written_kib, agents)), time.perf_counter()

        async def lane() -> None:
            while time.perf_counter() - began < seconds:
                start = time.perf_counter()
                await self.send(text)
                taken.append(time.perf_counter() - start)

        await DeferredList([Deferred.fromCoroutine(lane()) for _ in range(width)], fireOnOneErrback=True)
        whole = time.perf_counter() - began
        return figures(taken, whole, (sum(map(cpu_ms, agents)) - before) / 1000) | {
            "disk_bytes_each": 1024 * (sum(map(written_kib, agents)) - wrote) / len(taken)
        }


class LXMF:
    """Two processes with Reticulum over TCP between them."""

    name = "LXMF"

    def __init__(self, python: str) -> None:
        self._python = python

    async def measure(self, width: int, seconds: float) -> dict[str, float]:
        """The same figures."""
        command = [self._python, str(PEER), str(width), str(seconds), str(BYTES)]
        done = await deferToThread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise P2PChatError(f"LXMF failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
        told = json.loads(done.stdout.splitlines()[-1])
        return figures(told["taken"], told["whole"], told["cpu"])


def figures(taken: list[float], whole: float, cpu: float) -> dict[str, float]:
    """Of messages that took so long each."""
    return rates(taken, whole) | {"cpu_s_per_1000": 1000 * cpu / max(1, len(taken))}


def has_lxmf(python: str) -> bool:
    """Whether this Python can import it."""
    return subprocess.run([python, "-c", "import LXMF"], capture_output=True, check=False).returncode == 0


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Ours and the peer in turn, at each width; medians of the rounds."""
    world = World(reactor)
    try:
        sides: list[Ours | LXMF] = [await Ours.start(world)]
        if has_lxmf(options.lxmf):
            sides.append(LXMF(options.lxmf))
        else:
            print("LXMF: skipped: not installed (see --help)", file=sys.stderr)
        for width in WIDTHS:
            rounds: dict[str, list[dict[str, float]]] = {each.name: [] for each in sides}
            for _ in range(options.rounds):
                for side in sides:
                    rounds[side.name].append(await side.measure(width, options.seconds))
            for name, told in rounds.items():
                medians = {key: statistics.median(each[key] for each in told) for key in told[0]}
                row = {"program": name, "w": width, **medians}
                print(json.dumps(row) if options.json else shown(row), flush=True)
    finally:
        world.close()


def shown(row: dict[str, Any]) -> str:
    """One line for a person."""
    return "   ".join(f"{key} {value:.3f}" if isinstance(value, float) else f"{value}" for key, value in row.items())


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each figure of a round (10)")
    parser.add_argument("--rounds", type=int, default=3, help="in turn; medians are shown (3)")
    parser.add_argument("--lxmf", default=os.environ.get("LXMF_PYTHON", sys.executable), help="a Python with LXMF")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


if __name__ == "__main__":
    main()
