"""Multicast on the real loopback interface: several nodes share one port, an agent hears each of them."""

import random
import socket
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.trial.unittest import TestCase

from p2pchat.discovery.announcement import Heard
from p2pchat.discovery.service import DiscoveryService
from p2pchat.identifiers import Address

reactor: Any = installed_reactor
LOOPBACK = "127.0.0.1"
LIMIT_SECONDS = 60.0
"""Far more than it takes, for busy machines; the tests end as soon as everybody is heard."""


def free_group(last: int) -> Address:
    """A group on a port that nobody uses at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return Address(f"239.192.74.{last}", probe.getsockname()[1])


class MulticastTests(TestCase):
    def start(self, group: Address, ourselves: Heard | None) -> DiscoveryService:
        started = DiscoveryService(
            reactor,
            reactor,
            random.Random(),
            group,
            lambda: [LOOPBACK],
            None if ourselves is None else lambda: ourselves,
        )
        started.startService()
        self.addCleanup(started.stopService)
        return started

    def nodes(self, group: Address, ring: bytes, count: int) -> list[Heard]:
        found = []
        for number in range(count):
            found.append(Heard(ring, "test", Address(LOOPBACK, 20_000 + number), Address(LOOPBACK, 30_000 + number)))
            self.start(group, found[-1])
        return found

    async def test_agent_hears_all_nodes_of_a_machine(self) -> None:
        group = free_group(201)
        nodes = self.nodes(group, b"r" * 32, 3)
        agent = self.start(group, None)
        found = await agent.find(LIMIT_SECONDS, enough=lambda found: len(found) == 3)
        self.assertEqual(found, nodes)

    async def test_nodes_hear_each_other(self) -> None:
        group = free_group(202)
        first, second = self.nodes(group, b"r" * 32, 2)
        asker = self.start(group, first)
        self.assertEqual(await asker.find(LIMIT_SECONDS, enough=bool), [second])

    async def test_another_group_on_the_same_port_is_not_heard(self) -> None:
        group = free_group(203)
        ours, foreign = group, Address("239.192.74.204", group.port)
        self.nodes(foreign, b"f" * 32, 1)
        nodes = self.nodes(ours, b"r" * 32, 1)
        agent = self.start(ours, None)
        self.assertEqual(await agent.find(LIMIT_SECONDS, enough=lambda found: nodes[0] in found), nodes)
