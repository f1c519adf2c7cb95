"""The registry of links, and ports that take no more."""

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Address
from p2pchat.wire import links, listener
from p2pchat.wire.connection import Link
from p2pchat.wire.dialer import dial_node
from p2pchat.wire.limits import LIMITS
from p2pchat.wire.tls import member_tls
from tests.wire.ring import WhoAreYou, agent_standing
from tests.wire.test_dialer import RingCase


class LinksTests(RingCase):
    def test_known_address_is_not_greeted_again(self) -> None:
        one, two = self.nodes(2)
        for _ in range(3):
            self.assertEqual(self.successResultOf(self.run_(one.dialer.greet(two.ring_address))), two.record)
        self.assertEqual(len(self.network.dialled), 1)

    def test_quiet_waits_for_calls_under_way(self) -> None:
        one, two = self.nodes(2)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        asked = Deferred.fromCoroutine(one.dialer(two.me, WhoAreYou))
        quiet = Deferred.fromCoroutine(one.links.quiet(5.0))
        self.assertNoResult(quiet)
        self.network.flush()
        self.network.flush(0.1)
        self.successResultOf(asked)
        self.successResultOf(quiet)

    def test_quiet_does_not_wait_for_ever(self) -> None:
        one, two = self.nodes(2)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        asked = Deferred.fromCoroutine(one.dialer(two.me, WhoAreYou, timeout=60.0))
        quiet = Deferred.fromCoroutine(one.links.quiet(1.0))
        self.network.clock.pump([0.1] * 12)
        self.successResultOf(quiet)
        self.network.flush()
        self.successResultOf(asked)

    def test_links_from_an_address_that_is_gone_are_cut_at_once(self) -> None:
        one, two, three = self.nodes(3)
        for other in (two, three):
            self.successResultOf(self.run_(one.dialer(other.me, WhoAreYou)))
        moved, stays = (one.links.to(other.me) for other in (two, three))
        assert moved is not None
        assert stays is not None
        moved.here, stays.here = "10.74.1.11", "10.74.3.11"
        one.links.leave({"10.74.1.11"})
        self.network.flush()
        self.assertEqual((moved.usable, stays.usable), (False, True))
        self.assertEqual(one.links.nodes(), [three.me])
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))

    def test_a_node_that_came_back_at_another_address_has_no_link_of_before(self) -> None:
        one, two = self.nodes(2)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        before = one.links.to(two.me)
        assert before is not None
        two.ring_address = Address("192.0.2.99", 7401)
        two.record = two.addressed(2)
        two.listen()
        self.assertEqual(self.successResultOf(self.run_(one.dialer.greet(two.ring_address))), two.record)
        self.assertFalse(before.usable)
        self.network.flush()
        self.assertEqual(one.links.nodes(), [two.me])
        self.assertEqual(one.lost, [])

    def test_where_there_are_many_unused_links_are_closed_and_nobody_is_told(self) -> None:
        one, two, three = self.nodes(3)
        self.patch(links, "MANY_NODES", 2)
        for other in (two, three):
            self.successResultOf(self.run_(one.dialer(other.me, WhoAreYou)))
            self.successResultOf(self.run_(other.dialer(three.me if other is two else two.me, WhoAreYou)))
        for _ in range(25):
            self.network.flush(links.REDUNDANT_SECONDS)
            for node in (one, two):
                self.successResultOf(self.run_(node.dialer(three.me, WhoAreYou)))
        self.assertEqual(one.links.nodes(), [three.me])
        self.assertEqual((one.lost, two.lost), ([], []))
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))

    def test_where_there_are_few_they_stay(self) -> None:
        one, two, three = self.nodes(3)
        for other in (two, three):
            self.successResultOf(self.run_(one.dialer(other.me, WhoAreYou)))
        for _ in range(50):
            self.network.flush(links.REDUNDANT_SECONDS)
        self.assertEqual(sorted(one.links.nodes()), sorted([two.me, three.me]))

    def test_a_link_in_use_that_breaks_is_told_at_once(self) -> None:
        one, two, _ = self.nodes(3)
        self.patch(links, "MANY_NODES", 1)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        self.network.flush(links.REDUNDANT_SECONDS)
        self.network.cut(self.network.pumps[0])
        self.assertEqual((one.lost, two.lost), ([two.me], [one.me]))

    def test_a_second_link_from_the_same_address_ends_none(self) -> None:
        one, two = self.nodes(2)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        before = one.links.to(two.me)
        assert before is not None
        two.record = two.addressed(2)
        self.successResultOf(self.run_(two.dialer(one.me, WhoAreYou)))
        self.successResultOf(
            self.run_(dial_node(self.network.reach(two.ring_address), one.standing(member_tls(one.admission))))
        )
        self.assertTrue(before.usable)

    def test_a_link_knows_from_which_address_it_goes_out(self) -> None:
        link = Link(self.network.clock, [], LIMITS)
        link.makeConnection(StringTransport(hostAddress=IPv4Address("TCP", "10.74.1.11", 40_000)))
        self.assertEqual(link.here, "10.74.1.11")

    def test_full_port_closes_newcomers_unheard(self) -> None:
        self.patch(listener, "MAX_AGENTS", 1)
        (one,) = self.nodes(1)
        standing = agent_standing(self.network, None)
        reach = self.network.reach(one.clients_address)
        first = self.successResultOf(self.run_(dial_node(reach, standing)))
        self.failureResultOf(self.run_(dial_node(reach, standing)), TryElsewhere)
        first.link.close()
        self.network.flush()
        self.successResultOf(self.run_(dial_node(reach, standing)))

    def test_crowd_that_never_says_hello_is_bounded(self) -> None:
        self.patch(listener, "MAX_UNPROVEN", 3)
        (one,) = self.nodes(1)
        factory = self.network.ports[one.ring_address]
        built = [factory.buildProtocol(None) for _ in range(5)]
        self.assertEqual([each is not None for each in built], [True, True, True, False, False])
