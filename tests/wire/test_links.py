"""The registry of links, and ports that take no more."""

from twisted.internet.defer import Deferred

from p2pchat.errors import TryElsewhere
from p2pchat.wire import listener
from p2pchat.wire.dialer import dial_node
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
