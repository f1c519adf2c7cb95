"""Shared links between nodes, over real TLS in memory: identity, simultaneous dials, backoff, eviction, loss."""

from collections.abc import Coroutine
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved, NotAdmitted, RingUnknown, TryElsewhere
from p2pchat.wire.connection import Peer, Role, call
from p2pchat.wire.dialer import dial_node, open_link
from p2pchat.wire.hello import Greeting, Standing
from p2pchat.wire.tls import TLS, member_tls
from tests.wire.network import MemoryNetwork
from tests.wire.ring import NOW, Node, WhoAreYou, admission, agent_standing, operator_standing


class RingCase(SynchronousTestCase):
    """Some nodes on a network in memory."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()

    def nodes(self, count: int) -> list[Node]:
        nodes = [Node(self.network, number).listen() for number in range(1, count + 1)]
        for node in nodes:
            node.knows(*nodes)
        return nodes

    def run_(self, coroutine: Coroutine[Any, Any, Any]) -> "Deferred[Any]":
        running = Deferred.fromCoroutine(coroutine)
        self.network.flush()
        return running


class DialerTests(RingCase):
    def test_call_reaches_the_named_node_and_names_us(self) -> None:
        one, two = self.nodes(2)
        answer = self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        self.assertEqual(answer, {"me": two.me, "role": "node", "you": one.me})
        self.assertEqual((one.met, two.met), ([two.me], [one.me]))
        self.assertEqual(one.greetings[0].record, two.record)
        self.assertEqual(two.greetings[0].record, one.record)

    def test_many_calls_share_one_link(self) -> None:
        one, two = self.nodes(2)
        asked = [Deferred.fromCoroutine(one.dialer(two.me, WhoAreYou)) for _ in range(300)]
        self.network.flush()
        for each in asked:
            self.successResultOf(each)
        self.assertEqual(len(self.network.pumps), 1)

    def test_accepted_link_is_used_for_calls_back(self) -> None:
        one, two = self.nodes(2)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        answer = self.successResultOf(self.run_(two.dialer(one.me, WhoAreYou)))
        self.assertEqual(answer["me"], one.me)
        self.assertEqual(len(self.network.pumps), 1)

    def test_simultaneous_dials_lose_no_call(self) -> None:
        one, two = self.nodes(2)
        there = [Deferred.fromCoroutine(one.dialer(two.me, WhoAreYou)) for _ in range(20)]
        back = [Deferred.fromCoroutine(two.dialer(one.me, WhoAreYou)) for _ in range(20)]
        self.network.flush()
        self.assertEqual({self.successResultOf(each)["me"] for each in there}, {two.me})
        self.assertEqual({self.successResultOf(each)["me"] for each in back}, {one.me})
        self.assertEqual(len(self.network.pumps), 2)
        here, far = one.links.to(two.me), two.links.to(one.me)
        assert here is not None
        assert far is not None
        self.assertEqual(here.exporter(b"EXPORTER-test"), far.exporter(b"EXPORTER-test"))

    def test_redundant_link_is_closed_when_idle_and_nobody_is_told(self) -> None:
        one, two = self.nodes(2)
        both = [Deferred.fromCoroutine(a.dialer(b.me, WhoAreYou)) for a, b in ((one, two), (two, one))]
        self.network.flush()
        for each in both:
            self.successResultOf(each)
        for _ in range(14):
            self.network.flush(5.0)
        self.assertEqual(len(one.links.peers()), 1)
        self.assertEqual(len(two.links.peers()), 1)
        self.assertEqual(one.lost + two.lost, [])
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))

    def test_killed_node_is_noticed_at_once(self) -> None:
        one, two = self.nodes(2)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        del self.network.ports[two.ring_address]
        self.network.cut(self.network.pumps[0])
        self.assertEqual(one.lost, [two.me])
        self.failureResultOf(self.run_(one.dialer(two.me, WhoAreYou)), TryElsewhere)

    def test_restarted_node_is_dialled_again(self) -> None:
        one, two = self.nodes(2)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        self.network.cut(self.network.pumps[0])
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))

    def test_unreachable_node_is_left_alone_for_a_while(self) -> None:
        one, two = self.nodes(2)
        del self.network.ports[two.ring_address]
        for _ in range(5):
            self.failureResultOf(self.run_(one.dialer(two.me, WhoAreYou)), TryElsewhere)
        self.assertEqual(len(self.network.dialled), 1)
        two.listen()
        self.network.flush(0.3)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))

    def test_backoff_grows_and_is_bounded(self) -> None:
        one, two = self.nodes(2)
        del self.network.ports[two.ring_address]
        for _ in range(600):
            self.failureResultOf(self.run_(one.dialer(two.me, WhoAreYou)), TryElsewhere)
            self.network.flush(0.1)
        self.assertTrue(15 <= len(self.network.dialled) <= 30, len(self.network.dialled))

    def test_new_address_is_tried_at_once(self) -> None:
        one, two = self.nodes(2)
        del self.network.ports[two.ring_address]
        self.failureResultOf(self.run_(one.dialer(two.me, WhoAreYou)), TryElsewhere)
        moved = Node(self.network, 2, host="192.0.2.200").listen()
        one.knows(moved)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))

    def test_inbound_link_serves_calls_that_wait_for_a_dial(self) -> None:
        one, two = self.nodes(2)
        self.network.silent.add(two.ring_address)
        waiting = self.run_(one.dialer(two.me, WhoAreYou))
        self.assertNoResult(waiting)
        self.successResultOf(self.run_(two.dialer(one.me, WhoAreYou)))
        self.assertEqual(self.successResultOf(waiting)["me"], two.me)
        self.network.flush(5.0)

    def test_silent_address_fails_in_the_time_of_the_call(self) -> None:
        one, two = self.nodes(2)
        self.network.silent.add(two.ring_address)
        quick, slow = one.dialer(two.me, WhoAreYou, timeout=0.5), one.dialer(two.me, WhoAreYou, timeout=20.0)
        first, second = self.run_(quick), self.run_(slow)
        self.network.flush(0.6)
        self.failureResultOf(first, TryElsewhere)
        self.assertNoResult(second)
        self.network.flush(2.5)
        self.failureResultOf(second, TryElsewhere)

    def test_unknown_node_is_try_elsewhere(self) -> None:
        one, two = self.nodes(2)
        one.records.clear()
        self.failureResultOf(self.run_(one.dialer(two.me, WhoAreYou)), TryElsewhere)

    def test_call_to_ourselves_is_answered_here(self) -> None:
        one, _ = self.nodes(2)
        answer = self.successResultOf(self.run_(one.dialer(one.me, WhoAreYou)))
        self.assertEqual(answer, {"me": one.me, "role": "node", "you": one.me})
        self.assertEqual(self.network.dialled, [])

    def test_another_node_at_the_address_is_refused(self) -> None:
        one, two, three = self.nodes(3)
        self.network.ports[two.ring_address] = self.network.ports[three.ring_address]
        self.failureResultOf(self.run_(one.dialer(two.me, WhoAreYou)), TryElsewhere)
        self.assertIsNone(one.links.to(three.me))

    def test_greet_tells_who_is_there_and_keeps_the_link(self) -> None:
        one, two = self.nodes(2)
        one.records.clear()
        self.assertEqual(self.successResultOf(self.run_(one.dialer.greet(two.ring_address))), two.record)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        self.assertEqual(len(self.network.pumps), 1)

    def test_greeting_ourselves_is_try_elsewhere(self) -> None:
        (one,) = self.nodes(1)
        self.failureResultOf(self.run_(one.dialer.greet(one.ring_address)), TryElsewhere)
        self.network.flush(1.0)
        self.assertEqual(one.links.peers(), [])

    def test_stop_leaves_no_link_and_no_timer(self) -> None:
        nodes = self.nodes(3)
        for node in nodes:
            for other in nodes:
                self.successResultOf(self.run_(node.dialer(other.me, WhoAreYou)))
        for node in nodes:
            node.dialer.stop()
        self.network.flush(6.0)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.failureResultOf(self.run_(nodes[0].dialer(nodes[1].me, WhoAreYou)), TryElsewhere)


class TrustTests(RingCase):
    def test_node_of_another_ring_is_refused_both_ways(self) -> None:
        (one,) = self.nodes(1)
        stranger = Node(self.network, 9, ring="other").listen()
        self.failureResultOf(self.run_(stranger.dialer.greet(one.ring_address)), TryElsewhere)
        self.failureResultOf(self.run_(one.dialer.greet(stranger.ring_address)), TryElsewhere)
        self.assertEqual([type(each) for each in stranger.refused + one.refused], [RingUnknown, RingUnknown])
        self.assertEqual(one.links.peers() + stranger.links.peers(), [])

    def test_ring_port_judges_also_who_pretends_to_know_the_ring(self) -> None:
        (one,) = self.nodes(1)
        pretender = Node(self.network, 9, ring="other")
        standing = pretender.standing(member_tls(pretender.admission))
        lying = Standing(
            standing.clock, standing.now, standing.tls, one.admission.ring, standing.greeting, standing.locators
        )
        self.failureResultOf(self.run_(dial_node(self.network.reach(one.ring_address), lying)), RingUnknown)
        self.assertEqual((one.met, one.links.peers()), ([], []))

    def test_anonymous_caller_gets_nothing_from_the_ring_port(self) -> None:
        (one,) = self.nodes(1)
        standing = agent_standing(self.network, one.admission.ring)
        self.failureResultOf(self.run_(dial_node(self.network.reach(one.ring_address), standing)), TryElsewhere)
        self.assertEqual(one.agents, [])

    def test_nothing_but_hello_is_answered_before_it(self) -> None:
        one, two = self.nodes(2)
        tls = member_tls(two.admission)
        standing = two.standing(tls)
        opening = open_link(self.network.reach(one.ring_address), tls, standing.clock, standing.limits)
        link = self.successResultOf(self.run_(opening))
        self.failureResultOf(self.run_(call(link, standing.clock, WhoAreYou)), TryElsewhere)
        self.network.flush(10.1)
        self.assertFalse(link.usable)

    def test_stolen_record_is_refused(self) -> None:
        one, two, three = self.nodes(3)
        three.record = two.record
        self.failureResultOf(self.run_(three.dialer.greet(one.ring_address)), TryElsewhere)
        self.assertIsInstance(three.refused[0], Misbehaved)
        self.assertEqual(one.links.peers(), [])

    def test_certificate_without_its_key_is_refused(self) -> None:
        with self.assertRaises(SSL.Error):
            TLS(admission("ring", 3).key, [admission("ring", 2).certificate.parsed], ask=True)

    def test_evicted_node_is_refused_and_told_why(self) -> None:
        one, two = self.nodes(2)
        one.evicted.add(two.admission.certificate.serial)
        self.failureResultOf(self.run_(two.dialer(one.me, WhoAreYou)), TryElsewhere)
        self.assertIsInstance(two.refused[0], NotAdmitted)
        self.failureResultOf(self.run_(one.dialer(two.me, WhoAreYou)), TryElsewhere)

    def test_eviction_cuts_live_links(self) -> None:
        one, two, three = self.nodes(3)
        self.successResultOf(self.run_(one.dialer(two.me, WhoAreYou)))
        self.successResultOf(self.run_(three.dialer(one.me, WhoAreYou)))
        one.evicted.add(two.admission.certificate.serial)
        cut = one.links.recheck(lambda certificate: certificate.serial in one.evicted)
        self.network.flush()
        self.assertEqual([peer.identifier for peer in cut], [two.me])
        self.assertEqual(one.lost, [two.me])
        self.assertEqual(one.links.nodes(), [three.me])

    def test_evicted_admitter_takes_its_nodes_along(self) -> None:
        one, two = self.nodes(2)
        one.evicted.add(two.admission.issuer.serial)
        self.failureResultOf(self.run_(two.dialer(one.me, WhoAreYou)), TryElsewhere)

    def test_expired_certificate_is_refused(self) -> None:
        one, two = self.nodes(2)
        standing = two.standing(member_tls(two.admission))
        later = Standing(
            standing.clock,
            lambda: NOW + 11 * 365 * 86400,
            standing.tls,
            standing.ring,
            standing.greeting,
            standing.locators,
        )
        self.failureResultOf(self.run_(dial_node(self.network.reach(one.ring_address), later)), Misbehaved)

    def test_operator_is_known_as_such_and_is_no_node(self) -> None:
        (one,) = self.nodes(1)
        peer: Peer = self.successResultOf(
            self.run_(dial_node(self.network.reach(one.ring_address), operator_standing(self.network)))
        )
        answer = self.successResultOf(self.run_(call(peer.link, self.network.clock, WhoAreYou)))
        self.assertEqual((answer["role"], answer["you"]), ("operator", None))
        self.assertEqual(one.met, [])
        self.assertEqual([each.role for each in one.links.peers()], [Role.OPERATOR])

    def test_too_many_links_of_one_node_are_refused(self) -> None:
        one, two = self.nodes(2)
        standing = two.standing(member_tls(two.admission))
        for _ in range(8):
            self.successResultOf(self.run_(dial_node(self.network.reach(one.ring_address), standing)))
        self.failureResultOf(self.run_(dial_node(self.network.reach(one.ring_address), standing)), TryElsewhere)


class AgentTests(RingCase):
    def test_agent_proves_the_node_and_stays_anonymous(self) -> None:
        (one,) = self.nodes(1)
        standing = agent_standing(self.network, one.admission.ring)
        peer = self.successResultOf(self.run_(dial_node(self.network.reach(one.clients_address), standing)))
        self.assertEqual((peer.identifier, peer.record), (one.me, one.record))
        answer = self.successResultOf(self.run_(call(peer.link, self.network.clock, WhoAreYou)))
        self.assertEqual((answer["me"], answer["role"], answer["you"]), (one.me, "agent", None))
        self.assertEqual(one.agents[0].host, "127.0.0.9")

    def test_node_can_push_to_its_agent(self) -> None:
        (one,) = self.nodes(1)
        self.successResultOf(
            self.run_(dial_node(self.network.reach(one.clients_address), agent_standing(self.network, None)))
        )
        pushed = self.run_(call(one.agents[0].link, self.network.clock, WhoAreYou))
        self.failureResultOf(pushed, TryElsewhere)  # an agent that offers nothing

    def test_agent_without_a_ring_learns_whose_it_is(self) -> None:
        (one,) = self.nodes(1)
        peer = self.successResultOf(
            self.run_(dial_node(self.network.reach(one.clients_address), agent_standing(self.network, None)))
        )
        assert peer.root is not None
        self.assertEqual(peer.root.ring, one.admission.ring)

    def test_pinned_agent_refuses_another_ring(self) -> None:
        (one,) = self.nodes(1)
        stranger = Node(self.network, 9, ring="other").listen()
        standing = agent_standing(self.network, one.admission.ring)
        self.failureResultOf(self.run_(dial_node(self.network.reach(stranger.clients_address), standing)), RingUnknown)
        self.assertEqual(stranger.agents, [])

    def test_nobody_there_is_try_elsewhere(self) -> None:
        (one,) = self.nodes(1)
        del self.network.ports[one.clients_address]
        standing = agent_standing(self.network, None)
        self.failureResultOf(self.run_(dial_node(self.network.reach(one.clients_address), standing)), TryElsewhere)

    def test_greeting_of_an_agent_has_no_record(self) -> None:
        (one,) = self.nodes(1)
        self.successResultOf(
            self.run_(dial_node(self.network.reach(one.clients_address), agent_standing(self.network, None)))
        )
        self.assertEqual(one.greetings, [Greeting(version=1)])
