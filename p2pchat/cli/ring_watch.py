"""Commands that ask a running ring: ring status and trace."""

import argparse
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.protocols import amp

from p2pchat.cli import running
from p2pchat.cli.options import DEFAULT_TIMEOUT
from p2pchat.cli.places import node_folder
from p2pchat.cli.show import Row, UsageError, emit, json_line, pairs, table
from p2pchat.crypto.admission import Admission
from p2pchat.errors import NoNodeReachable, NotAdmitted, TimedOut, TryElsewhere, UserError
from p2pchat.identifiers import name, to_bytes
from p2pchat.server import commands
from p2pchat.server.passing import unpack
from p2pchat.server.status import NodeRow
from p2pchat.wire.connection import Link, call
from p2pchat.wire.dialer import dial_node
from p2pchat.wire.hello import Greeting, Standing
from p2pchat.wire.limits import CONTROL_LIMITS
from p2pchat.wire.tls import member_tls

TITLES = ("node", "address", "clients", "state", "users", "backups", "sessions", "slots", "members", "deficit")

Ask = Callable[..., Awaitable[dict[str, Any]]]
"""Puts one command to the node, with the time that is left."""


def status(options: argparse.Namespace) -> int:
    """Print every node of the ring, as one node knows it."""

    async def act(ask: Ask) -> int:
        rows = await every_node(ask)
        if options.json:
            for row in rows:
                json_line(row)
        else:
            table([line(row) for row in rows], TITLES)
            missing = sum(row["deficit"] for row in rows)
            ready = sum(row["state"] == "ready" for row in rows)
            nodes = f"{len(rows)} nodes" if ready == len(rows) else f"{ready} of {len(rows)} nodes are ready"
            print(f"\n{nodes}, {missing or 'no'} copies missing")
            for each in slow(rows):
                print(each)
            if all(row["members"]["wanted"] <= 1 for row in rows):
                print(
                    "no fault tolerance: a lost disk loses accounts and mail; three nodes tolerate one loss, five two"
                )
        if options.users:
            emit(await every_user(ask), options.json, ("user", "owner", "owned"))
        return 0

    return with_node(options, act)


async def every_node(ask: Ask) -> list[dict[str, Any]]:
    """The rows of all nodes, page by page."""
    return [row.shown() async for row in _nodes(ask)]


async def _nodes(ask: Ask) -> AsyncIterator[NodeRow]:
    after, more = 0, True
    while more:
        answer = await ask(commands.AskRing, after=after)
        for each in answer["nodes"]:
            yield NodeRow.parse(each)
        after = answer["next"]
        more = after != 0


async def every_node_and_lookup(ask: Ask) -> list[dict[str, Any]]:
    """The same, each with the node's latest lookups beside what `ring status` prints."""
    rows: list[dict[str, Any]] = []
    async for row in _nodes(ask):
        passing = [
            {"number": each.number, "hops": list(each.hops), "owner": each.owner} for each in unpack(row.lookups)
        ]
        rows.append({**row.shown(), "lookups": passing})
    return rows


async def every_user(ask: Ask) -> list[Row]:
    """The names that the asked node keeps, page by page."""
    rows: list[Row] = []
    after = ""
    while page := (await ask(commands.AskUsers, after=after))["users"]:
        rows += [{"user": each["name"], "owner": name(each["owner"]), "owned": each["owned"]} for each in page]
        after = page[-1]["name"]
    return rows


def slow(rows: list[dict[str, Any]]) -> list[str]:
    """A line about each node that others give no slots."""
    by: dict[str, list[str]] = {}
    for row in rows:
        for node in row.get("passed_over", ()):
            by.setdefault(node, []).append(row["node"])
    return [f"{node} makes no progress with copies, say {', '.join(says)}: see its log" for node, says in by.items()]


def line(row: Row) -> list[str]:
    """One node in the table."""
    members = f"{row['members']['least']} of {row['members']['wanted']}"
    return [str({**row, "members": members}[title]) for title in TITLES]


def trace(options: argparse.Namespace) -> int:
    """Print how a user or an identifier is found."""

    async def act(ask: Ask) -> int:
        row = await traced(ask, options.point)
        if options.json:
            json_line(row)
            return 0
        pairs(row, ("identifier", "slot", "epoch", "owner", "members", "copies"))
        for number, hop in enumerate(row["hops"], 1):
            print(f"hop {number}  {hop['node']}  {hop['milliseconds']:.1f} ms")
        return 0

    return with_node(options, act)


async def traced(ask: Ask, target: str) -> Row:
    """Where a user or an identifier belongs, and the hops to it."""
    found = await ask(commands.AskTrace, target=target)
    return {
        "target": target,
        "identifier": to_bytes(found["identifier"]).hex(),
        "hops": [{"node": name(hop["node"]), "milliseconds": hop["milliseconds"]} for hop in found["hops"]],
        "slot": found["slot"],
        "epoch": found["epoch"],
        "members": [name(each) for each in found["members"]],
        "owner": name(found["owner"]),
        "copies": found["copies"],
    }


class Asked:
    """A node that answers an operator's questions; the link is opened again where it was lost."""

    def __init__(self, reactor: Any, options: argparse.Namespace) -> None:
        self._reactor, self._options = reactor, options
        self._seconds = options.timeout or DEFAULT_TIMEOUT
        self._link: Link | None = None

    async def __call__(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """Put one command."""
        until = self._reactor.seconds() + self._seconds
        if self._link is None or not self._link.usable:
            self._link = await open_node(self._reactor, self._options)
        try:
            return await call(self._link, self._reactor, command, timeout=self._seconds, **arguments)
        except TryElsewhere as error:
            if self._reactor.seconds() < until:
                raise
            raise TimedOut(f"The node did not answer in time: {error} Asking again is safe.") from error

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()


def with_node(options: argparse.Namespace, action: Callable[[Ask], Awaitable[int]]) -> int:
    """Run `action` with a node: by its data folder's socket, or by its ring address as an operator."""

    async def act(reactor: Any) -> int:
        node = Asked(reactor, options)
        try:
            return await action(node)
        finally:
            node.close()

    return running.run(act)


async def open_node(reactor: Any, options: argparse.Namespace) -> Link:
    """A link that may ask an operator's questions."""
    node = getattr(options, "node", None)
    if node is None:
        return await open_admin(reactor, node_folder(options))
    if options.operator is None:
        raise UsageError("A ring address needs --operator FILE (from `p2pchat ring admit --operator --out FILE`).")
    try:
        admission = Admission.load(options.operator, time.time())
    except (NotAdmitted, OSError):
        raise UserError(f"{options.operator} is no operator's certificate that can be read.") from None
    standing = Standing(
        clock=reactor,
        now=time.time,
        tls=member_tls(admission),
        ring=admission.ring,
        greeting=Greeting,
        locators=lambda _: (),
    )
    return (await dial_node(HostnameEndpoint(reactor, node.host, node.port), standing)).link


async def open_admin(reactor: Any, folder: Path) -> Link:
    """A link to the node with this data folder."""
    try:
        endpoint = UNIXClientEndpoint(reactor, str(folder / "admin.sock"), checkPID=False)
        link: Link = await connectProtocol(endpoint, Link(reactor, (), CONTROL_LIMITS))
    except (ConnectError, OSError) as error:
        raise NoNodeReachable(f"No node runs in {folder}. Start it, or name another folder with --data.") from error
    return link
