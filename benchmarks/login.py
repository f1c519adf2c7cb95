"""Logging in on a ring of five: from a name and a password to a session that stands and is seen, without the hashing.

python -m benchmarks.login [--logins N] [--json]

Five nodes are processes of their own on loopback; the measuring process logs in as an agent does, again and again, at
one node after the other.  Argon2id over the password, which takes as long as security asks for, is measured and left
out; the node's bcrypt has its lowest cost.
"""

import argparse
import json
import secrets
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from twisted.protocols import amp

from benchmarks.people import CHEAPEST_BCRYPT
from benchmarks.spine import NODES, grown
from benchmarks.visitors import Caller
from p2pchat.cli import running
from p2pchat.cli.demo_world import World
from p2pchat.client.entrance import Entrance, Place
from p2pchat.client.home import Home
from p2pchat.client.keyring import Keys
from p2pchat.client.pending import Pending, Registration
from p2pchat.crypto.authority import Authority
from p2pchat.crypto.credentials import Costs
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.passwords import PARAMETERS, Stretched
from p2pchat.crypto.proofs import SignedRequest
from p2pchat.heartbeat.commands import VISIBLE, Beat
from p2pchat.identifiers import Address

USER = "annabel"
SECONDS = 60.0
T = TypeVar("T")


class Door:
    """One person at the ring's door."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._ring = world, Authority.open(world.authority, time.time()).ring
        self._password = secrets.token_urlsafe(16)
        self._hashed = 0.0
        self._caller = Caller(world.reactor, self._ring, "127.1.0.1")
        self._entrance = Entrance(
            self._ask,
            lambda: self._ring,
            self._at_once,
            Place(lambda: None, lambda user, place: b""),
            Pending(Home(folder), False, "registration", Registration.parse),
            secrets.token_bytes,
            lambda: int(time.time() * 1000),
            _keep_nothing,
            Costs(PARAMETERS, CHEAPEST_BCRYPT),
        )

    async def _ask(self, command: type[amp.Command], /, **arguments: Any) -> Any:
        return await self._caller.ask(command, **arguments)

    async def _at_once(self, function: Callable[..., T], *arguments: Any) -> T:
        """Not in a thread: nothing else waits here, and so the time of hashing can be told."""
        began = time.perf_counter()
        result = function(*arguments)
        if function == Stretched.stretch:
            self._hashed += time.perf_counter() - began
        return result

    async def register(self) -> None:
        """Make the account."""
        await self._caller.connect(self._address(0))
        await self._entrance.register(USER, self._password, SECONDS)
        self._caller.close()

    def _address(self, number: int) -> Address:
        return Address.parse(self._world.nodes[number % len(self._world.nodes)].ready[3])

    async def log_in(self, number: int) -> dict[str, float]:
        """Milliseconds of each step, at the node with this number."""
        began, self._hashed = time.perf_counter(), 0.0
        self._caller = Caller(self._world.reactor, self._ring, "127.1.0.1")
        await self._caller.connect(self._address(number))
        connected = time.perf_counter()
        entered = await self._entrance.log_in(USER, self._password, SECONDS)
        logged_in = time.perf_counter()
        await self._caller.ask(Beat, **beat_of(entered.keys))
        seen = time.perf_counter()
        self._caller.close()
        return {
            "connection, ms": 1000 * (connected - began),
            "login without hashing, ms": 1000 * (logged_in - connected - self._hashed),
            "first beat, ms": 1000 * (seen - logged_in),
            "all without hashing, ms": 1000 * (seen - began - self._hashed),
            "hashing, ms": 1000 * self._hashed,
        }


async def _keep_nothing(identity: Identity, password: bytes) -> None:
    """This person has no home to prepare."""


def beat_of(keys: Keys) -> dict[str, Any]:
    """The first beat of a session."""
    made = SignedRequest.create(keys.session_key, keys.record, 1, "beat", VISIBLE.encode())
    signed = {name: getattr(made, name) for name in ("user", "epoch", "sequence", "counter", "signature")}
    return {"presence": VISIBLE, "seen_key": None, **signed}


async def measure_all(options: argparse.Namespace, reactor: Any) -> None:
    """Log in so often; medians of the steps."""
    world = World(reactor)
    try:
        world.create_ring()
        await world.start_nodes(NODES)
        await world.until(lambda: grown(world), "the slots do not grow")
        door = Door(world, world.folder / "home")
        await door.register()
        rows = [await door.log_in(number) for number in range(options.logins + NODES)][NODES:]
        figures = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        slowest = max(row["all without hashing, ms"] for row in rows)
        figures["slowest, all without hashing, ms"] = slowest
        print(json.dumps(figures) if options.json else "\n".join(f"{n:<34} {v:8.1f}" for n, v in figures.items()))
    finally:
        world.close()


def main() -> None:
    """Measure one ring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logins", type=int, default=30, help="to measure (30)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    running.run(partial(measure_all, options))


if __name__ == "__main__":
    main()
