"""Finding nodes by multicast on a segment in memory: machines, interfaces that come and go, hostile datagrams."""

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.discovery import service
from p2pchat.discovery.announcement import Announcement, Heard, Query, encode
from p2pchat.discovery.interfaces import local_addresses
from p2pchat.discovery.service import DEFAULT_GROUP, DiscoveryService
from p2pchat.identifiers import Address
from tests.discovery.segment import Machine, Segment

RED, BLUE = b"r" * 32, b"b" * 32


def node(number: int, ring: bytes = RED, host: str | None = None) -> Heard:
    host = host or f"192.0.2.{number}"
    return Heard(ring, ring[:1].decode(), Address(host, 7401), Address(host, 7402))


class DiscoveryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.segment, self.clock = Segment(), Clock()
        self.heard: list[Heard] = []
        self.services: list[DiscoveryService] = []
        self.addCleanup(self.stop)

    def stop(self) -> None:
        for each in self.services:
            if each.running:
                each.stopService()
        self.assertEqual(self.segment.sockets, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def start(
        self,
        machine: Machine,
        ourselves: Callable[[], Heard | None] | None = None,
        interfaces: Callable[[], list[str]] | None = None,
        heard: Callable[[Heard], None] = lambda _: None,
    ) -> DiscoveryService:
        started = DiscoveryService(
            machine,  # type: ignore[arg-type]
            self.clock,
            Random(len(self.services)),
            DEFAULT_GROUP,
            interfaces or (lambda: list(machine.addresses)),
            ourselves,
            heard,
        )
        self.services.append(started)
        started.startService()
        return started

    def nodes(self, *found: Heard) -> None:
        for each in found:
            self.start(self.segment.machine(each.ring_address.host), lambda each=each: each)  # type: ignore[misc]

    def find(self, asker: DiscoveryService, **arguments: Any) -> list[Heard]:
        finding = Deferred.fromCoroutine(asker.find(1.0, **arguments))
        for _ in range(30):
            self.clock.advance(0.05)
        found: list[Heard] = self.successResultOf(finding)
        return found


class DiscoveryTests(DiscoveryCase):
    def test_agent_hears_every_node(self) -> None:
        self.nodes(node(3), node(1), node(2, BLUE))
        agent = self.start(self.segment.machine("192.0.2.77"))
        self.assertEqual(self.find(agent), [node(2, BLUE), node(1), node(3)])

    def test_agent_hears_the_nodes_of_one_ring(self) -> None:
        self.nodes(node(1), node(2, BLUE))
        agent = self.start(self.segment.machine("192.0.2.77"))
        self.assertEqual(self.find(agent, ring=RED), [node(1)])

    def test_node_hears_others_but_not_itself(self) -> None:
        self.nodes(node(1), node(2))
        self.assertEqual(self.find(self.services[0]), [node(2)])

    def test_several_nodes_on_one_machine_hear_each_other_over_loopback(self) -> None:
        machine = self.segment.machine("127.0.0.1")
        for number in range(1, 4):
            ours = node(number, host=f"127.0.0.{number}")
            self.start(machine, lambda ours=ours: ours)  # type: ignore[misc]
        agent = self.start(machine)
        self.assertEqual(len(self.find(agent)), 3)

    def test_loopback_of_another_machine_is_not_heard(self) -> None:
        ours = node(1, host="127.0.0.1")
        self.start(self.segment.machine("127.0.0.1"), lambda: ours)
        agent = self.start(self.segment.machine("127.0.0.1"))
        self.assertEqual(self.find(agent), [])

    def test_search_ends_early_when_enough_is_found(self) -> None:
        self.nodes(node(1))
        agent = self.start(self.segment.machine("192.0.2.77"))
        finding = Deferred.fromCoroutine(agent.find(10.0, enough=bool))
        self.clock.advance(0.05)
        self.assertEqual(self.successResultOf(finding), [node(1)])

    def test_lost_query_is_repeated(self) -> None:
        agent = self.start(self.segment.machine("192.0.2.77"))
        finding = Deferred.fromCoroutine(agent.find(2.0))
        self.clock.advance(0.4)
        self.nodes(node(1))
        for _ in range(50):
            self.clock.advance(0.05)
        self.assertEqual(self.successResultOf(finding), [node(1)])

    def test_node_announces_itself_at_the_start_and_again(self) -> None:
        self.start(self.segment.machine("192.0.2.1"), lambda: node(1), heard=self.heard.append)
        self.nodes(node(2))
        self.assertEqual(set(self.heard), {node(2)})
        self.heard.clear()
        self.clock.advance(30.0)
        self.assertEqual(self.heard, [node(2)])

    def test_node_that_is_not_ready_says_nothing(self) -> None:
        ready: list[Heard] = []
        started = self.start(self.segment.machine("192.0.2.1"), lambda: ready[0] if ready else None)
        agent = self.start(self.segment.machine("192.0.2.77"))
        self.assertEqual(self.find(agent), [])
        ready.append(node(1))
        started.announce()
        self.assertEqual(self.find(agent), [node(1)])

    def test_new_interface_is_taken_up_and_a_lost_one_dropped(self) -> None:
        addresses = ["192.0.2.1"]
        machine = self.segment.machine("192.0.2.1", "198.51.100.1")
        self.start(machine, lambda: node(1), lambda: addresses)
        before = len(self.segment.sockets)
        addresses[:] = ["192.0.2.1", "198.51.100.1"]
        self.clock.advance(5.0)
        self.assertEqual(len(self.segment.sockets), before + 1)
        addresses[:] = ["198.51.100.1"]
        self.clock.advance(5.0)
        self.assertEqual(len(self.segment.sockets), before)

    def test_broken_interface_does_not_stop_the_others(self) -> None:
        self.segment.broken.add("198.51.100.1")
        self.nodes(node(1))
        agent = self.start(self.segment.machine("192.0.2.77", "198.51.100.1"))
        self.assertEqual(self.find(agent), [node(1)])

    def test_port_that_is_not_to_be_had_leaves_the_node_running(self) -> None:
        self.segment.taken.add(DEFAULT_GROUP.port)
        asker = self.start(self.segment.machine("192.0.2.1"), lambda: node(1))
        self.assertEqual(self.find(asker), [])

    def test_queries_pass_one_router(self) -> None:
        self.start(self.segment.machine("192.0.2.77"))
        self.assertEqual([each.ttl for each in self.segment.sockets], [2])


class HostileTests(DiscoveryCase):
    def flood(self, port: int, datagrams: list[bytes]) -> None:
        target = next(each for each in self.segment.sockets if each.port == port)
        for each in datagrams:
            target.protocol.datagramReceived(each, ("203.0.113.9", 999))

    def test_garbage_is_ignored(self) -> None:
        self.nodes(node(1))
        before = len(self.segment.sent)
        self.flood(DEFAULT_GROUP.port, [b"", b"\0" * 600, b"x" * 9000, encode(Query(bytes(8)))[:100]])
        self.assertEqual(len(self.segment.sent), before)

    def test_answers_are_limited(self) -> None:
        self.nodes(node(1))
        before = len(self.segment.sent)
        self.flood(DEFAULT_GROUP.port, [encode(Query(bytes(8)))] * 1000)
        self.assertEqual(len(self.segment.sent) - before, service.MAX_ANSWERS_PER_SECOND)
        self.clock.advance(1.0)
        self.flood(DEFAULT_GROUP.port, [encode(Query(bytes(8)))])
        self.assertEqual(len(self.segment.sent) - before, service.MAX_ANSWERS_PER_SECOND + 1)

    def test_announcements_are_limited(self) -> None:
        self.start(self.segment.machine("192.0.2.1"), lambda: node(1), heard=self.heard.append)
        self.flood(DEFAULT_GROUP.port, [encode(Announcement(node(2, host=f"198.51.{n}.1"))) for n in range(1, 250)])
        self.assertEqual(len(self.heard), service.MAX_NEWS_PER_SECOND)

    def test_answers_that_nobody_asked_for_are_not_believed(self) -> None:
        agent = self.start(self.segment.machine("192.0.2.77"))
        port = self.segment.sockets[0].port
        finding = Deferred.fromCoroutine(agent.find(1.0))
        self.flood(port, [encode(Announcement(node(1), bytes(8))), encode(Announcement(node(1), b"12345678"))])
        for _ in range(30):
            self.clock.advance(0.05)
        self.assertEqual(self.successResultOf(finding), [])

    def test_what_is_remembered_is_bounded(self) -> None:
        self.patch(service, "MAX_HEARD", 10)
        agent = self.start(self.segment.machine("192.0.2.77"))
        finding = Deferred.fromCoroutine(agent.find(1.0))
        nonce = self.segment.sent[-1][0][9:17]
        self.flood(
            self.segment.sockets[0].port,
            [encode(Announcement(node(1, host=f"198.51.{n}.1"), nonce)) for n in range(1, 250)],
        )
        for _ in range(30):
            self.clock.advance(0.05)
        self.assertEqual(len(self.successResultOf(finding)), 10)


class InterfaceTests(SynchronousTestCase):
    def test_this_machine_has_loopback_last(self) -> None:
        found = local_addresses()
        self.assertEqual(found[-1], "127.0.0.1")
