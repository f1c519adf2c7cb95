"""Commands that change a running ring: ring evict and drain."""

import argparse
import re
import time

from twisted.internet.task import deferLater

from p2pchat.cli import running
from p2pchat.cli.options import DEFAULT_TIMEOUT, address
from p2pchat.cli.places import node_folder
from p2pchat.cli.ring import open_authority
from p2pchat.cli.ring_lost import give_up
from p2pchat.cli.ring_watch import Ask, with_node
from p2pchat.cli.show import UsageError, json_line
from p2pchat.crypto.authority import Authority
from p2pchat.crypto.evictions import Evictions
from p2pchat.errors import TimedOut
from p2pchat.server import commands
from p2pchat.wire.bulletins import Kind, fetched

LOOK_SECONDS = 0.5
NODE = re.compile("[0-9a-f]{8,64}")


def evict(options: argparse.Namespace) -> int:
    """Sign the next list of who is out, and give it to a node, which tells everybody."""
    aim_at_node(options)
    authority = open_authority(options)
    if options.lost_majority:
        return give_up(options, authority)
    if options.node is None and options.data is None and not (node_folder(options) / "admin.sock").exists():
        signed = authority.evict(options.nodes, authority.evictions(time.time()), time.time())
        return _said(options, authority, signed, None)

    async def act(ask: Ask) -> int:
        signed = await sign(ask, authority, options.nodes)
        answer = await ask(commands.TakeEvictions, evictions=signed.encoded)
        return _said(options, authority, signed, answer["told"] + 1)

    return with_node(options, act)


def drain(options: argparse.Namespace) -> int:
    """Have a node hand everything over and end; waits until it holds nothing."""

    async def act(ask: Ask) -> int:
        until = running.reactor.seconds() + (options.timeout or DEFAULT_TIMEOUT)
        begin = left = (await ask(commands.Drain))["left"]
        while left:
            if running.reactor.seconds() > until:
                raise TimedOut(
                    f"{left} of {begin} slots are still to be handed over; the node goes on, and ends by itself only"
                    " when this command is run again. That is safe."
                )
            await deferLater(running.reactor, LOOK_SECONDS)
            left = (await ask(commands.Drain))["left"]
        row = {"data": str(node_folder(options)), "slots": begin}
        if options.json:
            json_line(row)
        else:
            print(f"{begin} slots were handed over; the node has left the ring and ends.")
        return 0

    return with_node(options, act)


def aim_at_node(options: argparse.Namespace) -> None:
    """Tell the nodes that are named from the HOST:PORT of the one that is asked."""
    named = [each for each in options.nodes if ":" not in each]
    where = [each for each in options.nodes if ":" in each]
    if not named or len(where) > 1 or not all(map(NODE.fullmatch, named)):
        raise UsageError("Name nodes by 8 hex digits or more, and at most one HOST:PORT.")
    options.nodes, options.node = named, address(where[0]) if where else None


async def sign(ask: Ask, authority: Authority, named: list[str]) -> Evictions:
    """The next list, on top of what the ring and the folder have."""
    now = time.time()
    known = Evictions.parse(await fetched(ask, Kind.EVICTIONS), authority.root, now)
    return authority.evict(named, known, now)


def _said(options: argparse.Namespace, authority: Authority, signed: Evictions, nodes: int | None) -> int:
    row = {"evictions": signed.number, "authority": str(authority.folder), "nodes": nodes or 0}
    if options.json:
        json_line(row)
        return 0
    print(f"Signed list {signed.number} of who is evicted, in {authority.folder}.")
    if nodes is None:
        print("No node has it yet: run this again with --data DIR of a running node, or HOST:PORT and --operator FILE.")
    else:
        print(f"{nodes} nodes have it or are being told.")
    return 0
