"""`ring evict --lost-majority`: give lost nodes up, and have the others go on with what they have."""

import argparse
import time

from p2pchat.cli.options import DEFAULT_TIMEOUT
from p2pchat.cli.ring_watch import Ask, with_node
from p2pchat.cli.show import json_line
from p2pchat.crypto.authority import Authority
from p2pchat.identifiers import name
from p2pchat.server.succeeding import Succeeded, Succeeding


def give_up(options: argparse.Namespace, authority: Authority) -> int:
    """The whole command; nothing is changed before everybody is accounted for."""
    # Every survivor is asked in turn, and the slowest of them has 20 s.
    options.timeout = options.timeout or 2 * DEFAULT_TIMEOUT
    lost = [authority.find(each) for each in options.nodes]

    async def act(ask: Ask) -> int:
        return _said(options, await Succeeding(authority, lost, ask, time.time()).run())

    return with_node(options, act)


def _said(options: argparse.Namespace, done: Succeeded) -> int:
    survivors = [name(each) for each in done.survivors]
    if options.json:
        json_line(
            {
                "generation": done.generation,
                "evictions": done.evictions,
                "survivors": survivors,
                "slots_lost": done.empty,
                "slots_doubtful": done.doubtful,
            }
        )
        return 0
    print(f"The ring goes on in generation {done.generation} with {len(survivors)} nodes: {' '.join(survivors)}.")
    if done.empty:
        print(
            f"Lost: {done.empty} slots, of which nobody has anything. Accounts and mail in them are gone;"
            " `p2pchat ring restore` brings back what a backup has. Until then such a name can be registered anew."
        )
    if done.doubtful:
        print(
            f"In doubt: {done.doubtful} slots, of which less than a majority is left. Their last changes may"
            " be lost (a registration, a login, a message called stored), or a message may come twice."
        )
    print("If a node that was given up still runs apart from these, what it agrees to meanwhile will not count.")
    return 0
