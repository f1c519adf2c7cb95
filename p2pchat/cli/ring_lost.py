"""`ring evict --lost-majority`: give lost nodes up, and have the others go on with what they have."""

import argparse
import time
from typing import Any

from p2pchat.cli.options import DEFAULT_TIMEOUT
from p2pchat.cli.ring_watch import Ask, with_node
from p2pchat.cli.show import json_line
from p2pchat.crypto.authority import Admitted, Authority
from p2pchat.crypto.certificates import Role
from p2pchat.crypto.encoding import split
from p2pchat.crypto.evictions import Evictions
from p2pchat.crypto.orders import PLAN, SEAL, Order
from p2pchat.errors import Misbehaved
from p2pchat.identifiers import Identifier, name, to_bytes
from p2pchat.server import commands
from p2pchat.server.survey import refuse_missing
from p2pchat.wire.bulletins import Kind, fetched


def give_up(options: argparse.Namespace, authority: Authority) -> int:
    """The whole command; nothing is changed before everybody is accounted for."""
    # Every survivor is asked in turn, and the slowest of them has 20 s.
    options.timeout = options.timeout or 2 * DEFAULT_TIMEOUT

    async def act(ask: Ask) -> int:
        return await Succeeding(options, authority, ask).run()

    return with_node(options, act)


class Succeeding:
    """One run of the command, step by step."""

    def __init__(self, options: argparse.Namespace, authority: Authority, ask: Ask) -> None:
        self._options, self._authority, self._ask = options, authority, ask
        self._lost = [authority.find(each) for each in options.nodes]

    async def run(self) -> int:
        """Account for everybody, evict, seal, plan."""
        authority, now = self._authority, time.time()
        known = Evictions.parse(await fetched(self._ask, Kind.EVICTIONS), authority.root, now)
        before = [each for each in authority.admitted() if (each.role, each.serial) in known.entries]
        given_up = {each.identifier for each in [*self._lost, *before]}
        found = await self._ask(commands.AskSurvivors, given_up=sorted(given_up))
        accounted = given_up | set(found["survivors"]) | set(found["drained"])
        refuse_missing(set(found["missing"]) | (self._nodes() - accounted))
        signed = authority.evict_entries([(each.role, each.serial) for each in self._lost], known, now)
        await self._ask(commands.TakeEvictions, evictions=signed.encoded)
        generation = max(found["generation"], authority.plans()) + 1
        drafted = await self._sealed(generation, given_up)
        plan = authority.order(PLAN, generation, await self._draft(drafted["total"]))
        await self._ask(commands.TakePlan, **_pieces(plan))
        return self._said(generation, signed.number, found["survivors"], drafted)

    def _nodes(self) -> set[Identifier]:
        """Every node that this authority ever admitted."""
        return {each.identifier for each in self._authority.admitted() if is_node(each)}

    async def _sealed(self, generation: int, given_up: set[Identifier]) -> dict[str, Any]:
        body = b"".join(map(to_bytes, sorted(given_up)))
        return await self._ask(commands.SealRing, order=self._authority.order(SEAL, generation, body).encoded)

    async def _draft(self, total: int) -> bytes:
        whole = b""
        while len(whole) < total:
            part = (await self._ask(commands.AskDraft, offset=len(whole)))["part"]
            if not part:
                raise Misbehaved("The plan that was drafted ends too early.")
            whole += part
        return whole

    def _said(self, generation: int, evictions: int, survivors: list[Identifier], drafted: dict[str, Any]) -> int:
        row = {
            "generation": generation,
            "evictions": evictions,
            "survivors": [name(each) for each in survivors],
            "slots_lost": drafted["empty"],
            "slots_doubtful": drafted["doubtful"],
        }
        if self._options.json:
            json_line(row)
            return 0
        print(f"The ring goes on in generation {generation} with {len(survivors)} nodes: {' '.join(row['survivors'])}.")
        if drafted["empty"]:
            print(
                f"Lost: {drafted['empty']} slots, of which nobody has anything. Accounts and mail in them are gone;"
                " `p2pchat ring restore` brings back what a backup has. Until then such a name can be registered anew."
            )
        if drafted["doubtful"]:
            print(
                f"In doubt: {drafted['doubtful']} slots, of which less than a majority is left. Their last changes may"
                " be lost (a registration, a login, a message called stored), or a message may come twice."
            )
        print("If a node that was given up still runs apart from these, what it agrees to meanwhile will not count.")
        return 0


def is_node(admitted: Admitted) -> bool:
    """Whether a node was admitted, and no person."""
    return admitted.role is Role.NODE


def _pieces(plan: Order) -> dict[str, bytes]:
    """The signature and the certificate of who signed; the node has the rest."""
    _, signature, signer = split(plan.encoded, 3)
    return {"signature": signature, "signer": signer}
