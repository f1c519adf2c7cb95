"""The link to a node: a ring is pinned once, a dead node is left for another, of several rings none is chosen."""

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.client.gateway import Gateway
from p2pchat.client.home import Home
from p2pchat.client.pin import RingPin
from p2pchat.errors import NoNodeReachable, NoQuorum, RingUnknown, TryElsewhere, on_wire
from p2pchat.identifiers import Address
from p2pchat.wire.connection import Peer
from tests.wire.network import MemoryNetwork
from tests.wire.ring import NOW, Node, WhoAreYou


class GatewayCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.home = Home(Path(self.mktemp()), sync=lambda _: None)
        self.home.lock()
        self.addCleanup(self.home.unlock)
        self.heard: list[tuple[bytes, Address]] = []
        self.changes: list[Peer | None] = []
        self.one, self.two = Node(self.network, 1).listen(), Node(self.network, 2).listen()

    async def find(self) -> list[tuple[bytes, Address]]:
        return self.heard

    def gateway(self, *servers: Address) -> Gateway:
        self.pin = RingPin(self.home)
        gateway = Gateway(
            self.network.clock,
            lambda: NOW,
            Random(1),
            self.network.reach,
            self.pin,
            servers,
            self.find,
            lambda _: [],
            self.changes.append,
        )
        gateway.startService()
        self.addCleanup(self.stop, gateway)
        self.settle()
        return gateway

    def stop(self, gateway: Gateway) -> None:
        gateway.stopService()
        self.settle()

    def settle(self, seconds: float = 1.0) -> None:
        for _ in range(round(seconds * 10)):
            self.network.flush(0.1)

    def ask(self, gateway: Gateway, timeout: float = 5.0) -> "Deferred[Any]":
        return Deferred.fromCoroutine(gateway(WhoAreYou, timeout=timeout))


class GatewayTests(GatewayCase):
    def test_the_first_ring_is_pinned_and_questions_are_answered(self) -> None:
        gateway = self.gateway(self.one.clients_address)
        asked = self.ask(gateway)
        self.settle()
        self.assertEqual(self.successResultOf(asked)["me"], self.one.me)
        self.assertEqual(self.pin.ring, self.one.admission.ring)
        self.assertEqual(RingPin(self.home).ring, self.one.admission.ring)

    def test_a_question_moves_to_another_node_when_one_dies(self) -> None:
        gateway = self.gateway(self.one.clients_address, self.two.clients_address)
        del self.network.ports[self.one.clients_address]
        for pump in list(self.network.pumps):
            self.network.cut(pump)
        asked = self.ask(gateway)
        self.settle(3.0)
        self.assertEqual(self.successResultOf(asked)["me"], self.two.me)
        self.assertEqual([change is not None for change in self.changes], [True, False, True])

    def test_a_link_from_an_address_that_this_machine_lost_is_replaced_at_once(self) -> None:
        gateway = self.gateway(self.one.clients_address, self.two.clients_address)
        link = gateway.link
        assert link is not None
        link.here = "10.74.2.11"
        gateway.stay_at(["10.74.2.11", "127.0.0.1"])
        self.settle()
        self.assertIs(gateway.link, link)
        gateway.stay_at(["10.74.2.98", "127.0.0.1"])
        self.assertFalse(link.usable)
        asked = self.ask(gateway)
        self.settle(3.0)
        self.successResultOf(asked)
        self.assertIsNot(gateway.link, link)

    def test_remembered_nodes_are_tried_when_the_given_one_is_gone(self) -> None:
        RingPin(self.home).remember([self.two.clients_address])
        gateway = self.gateway(Address("192.0.2.99", 7402))
        asked = self.ask(gateway)
        self.settle(3.0)
        self.assertEqual(self.successResultOf(asked)["me"], self.two.me)

    def test_multicast_finds_a_node_of_the_only_ring(self) -> None:
        self.heard = [(self.two.admission.ring, self.two.clients_address)]
        gateway = self.gateway()
        asked = self.ask(gateway)
        self.settle(3.0)
        self.assertEqual(self.successResultOf(asked)["me"], self.two.me)

    def test_of_several_rings_none_is_chosen_and_all_are_listed(self) -> None:
        foreign = Node(self.network, 3, ring="other").listen()
        self.heard = [(each.admission.ring, each.clients_address) for each in (self.one, foreign)]
        gateway = self.gateway()
        asked = self.ask(gateway)
        self.settle(6.0)
        told = str(self.failureResultOf(asked, RingUnknown).value)
        for each in (self.one, foreign):
            self.assertIn(each.admission.ring[:4].hex(), told)
        self.assertIsNone(self.pin.ring)

    def test_a_pinned_ring_is_never_left_for_another(self) -> None:
        self.gateway(self.one.clients_address)
        foreign = Node(self.network, 3, ring="other").listen()
        gateway = self.gateway(foreign.clients_address)
        asked = self.ask(gateway)
        self.settle(6.0)
        self.failureResultOf(asked, RingUnknown)
        self.assertEqual(self.pin.ring, self.one.admission.ring)

    def test_nobody_there_is_said_after_the_time_is_over(self) -> None:
        gateway = self.gateway(Address("192.0.2.99", 7402))
        asked = self.ask(gateway, timeout=2.0)
        self.settle(1.5)
        self.assertNoResult(asked)
        self.settle(1.0)
        self.failureResultOf(asked, NoNodeReachable)

    def test_stopping_fails_who_waits(self) -> None:
        gateway = self.gateway(Address("192.0.2.99", 7402))
        asked = self.ask(gateway, timeout=20.0)
        gateway.stopService()
        self.failureResultOf(asked, TryElsewhere)


class Write(amp.Command):
    """A change that takes a quorum."""

    errors = on_wire(NoQuorum)


class Lacking(amp.CommandLocator):
    """Finds no quorum so many times, each after so many seconds."""

    def __init__(self, clock: Any, times: int, seconds: float) -> None:
        self._clock, self._times, self._seconds = clock, times, seconds
        self.asked = 0

    @Write.responder
    async def write(self) -> dict[str, object]:
        self.asked += 1
        await deferLater(self._clock, self._seconds)
        if self.asked <= self._times:
            raise NoQuorum("Too few nodes answer.")
        return {}


class QuorumTests(GatewayCase):
    """How long a person waits where a majority is lost."""

    def lacking(self, times: int, seconds: float) -> "Deferred[Any]":
        """A change at a node that finds no quorum."""
        self.locator = Lacking(self.network.clock, times, seconds)
        self.one._locators = lambda peer: [self.locator]  # type: ignore[method-assign]
        self.one.listen()
        gateway = self.gateway(self.one.clients_address)
        return Deferred.fromCoroutine(gateway(Write, timeout=10.0))

    def test_a_node_that_has_tried_is_believed(self) -> None:
        asked = self.lacking(times=9, seconds=2.5)
        self.settle(3.0)
        self.failureResultOf(asked, NoQuorum)
        self.assertEqual(self.locator.asked, 1)

    def test_what_passes_at_once_does_not_reach_the_person(self) -> None:
        asked = self.lacking(times=1, seconds=0.0)
        self.settle(1.0)
        self.successResultOf(asked)

    def test_a_node_that_never_has_one_is_asked_for_half_a_second(self) -> None:
        asked = self.lacking(times=99, seconds=0.0)
        self.settle(1.0)
        self.failureResultOf(asked, NoQuorum)
        self.assertLess(self.locator.asked, 4)
