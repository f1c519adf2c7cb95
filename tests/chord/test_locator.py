"""The ring's commands over a real AMP connection in memory."""

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.protocols import amp
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord import commands
from p2pchat.chord.locator import ChordLocator
from p2pchat.chord.status import NodeState
from p2pchat.chord.table import unpack
from p2pchat.crypto.noderecord import NodeRecord
from p2pchat.errors import Misbehaved, TryElsewhere
from p2pchat.identifiers import Identifier
from p2pchat.simulation.mesh import Mesh
from p2pchat.simulation.papers import Papers
from p2pchat.wire.connection import Link, call

PAPERS = Papers("locator")


class LocatorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mesh = Mesh(PAPERS, 3)
        self.addCleanup(self.mesh.stop)
        for number in (1, 2, 3):
            self.mesh.start(number, founder=number == 1)
        self.mesh.seconds_until(self.mesh.agreed, 60.0)
        self.asked, self.caller = self.mesh.nodes[1], self.mesh.nodes[2]
        server = Link(self.mesh.clock, [ChordLocator(self.asked.service, self.caller.identifier)])
        self.link = Link(self.mesh.clock, [])
        self.pump = connect(server, FakeTransport(server, True), self.link, FakeTransport(self.link, False))

    def ask(self, command: type[amp.Command], **arguments: Any) -> "Deferred[dict[str, Any]]":
        asking = Deferred.fromCoroutine(call(self.link, self.mesh.clock, command, **arguments))
        self.pump.flush()
        self.mesh.clock.advance(0.5)
        self.pump.flush()
        return asking

    def answer(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        return self.successResultOf(self.ask(command, **arguments))

    def test_ping_says_the_state_unless_that_is_ready(self) -> None:
        self.assertEqual(self.answer(commands.Ping), {"state": None})
        leaving = Deferred.fromCoroutine(self.asked.service.leave())
        self.mesh.clock.advance(3.0)
        self.successResultOf(leaving)
        self.assertEqual(self.answer(commands.Ping), {"state": "leaving"})

    def test_view(self) -> None:
        self.mesh.clock.run_while(lambda: self.asked.service.view() is None, 5.0)
        answer = self.answer(commands.AskView)
        status = self.asked.service.status()
        self.assertEqual((answer["state"], answer["pending"], answer["padding"]), ("ready", False, 0))
        self.assertEqual(answer["predecessor"], status.predecessor)
        self.assertEqual(tuple(answer["successors"]), status.successors)

    def test_a_view_that_is_known_is_not_sent_again(self) -> None:
        self.mesh.clock.run_while(lambda: self.asked.service.view() is None, 5.0)
        view = self.asked.service.view()
        assert view is not None
        answer = self.answer(commands.AskView, known=view.hash())
        self.assertEqual((answer["state"], answer["same"], answer["successors"]), ("ready", True, None))
        self.assertFalse(self.answer(commands.AskView, known=replace(view, padding=1).hash())["same"])

    def test_next_hop_brings_records(self) -> None:
        point = Identifier(self.asked.identifier + 1)
        answer = self.answer(commands.NextHop, point=point)
        self.assertTrue(answer["owned"])
        owner = NodeRecord.parse(answer["records"][0])
        self.assertEqual(owner.identifier, self.asked.service.status().successors[0])

    def test_tables_are_compared_and_records_fetched(self) -> None:
        answer = self.answer(
            commands.SpreadNodes, incarnation=7, until=0, entries=b"", heard_incarnation=0, heard=0
        )  # fmt: skip
        named = [each.identifier for each in unpack(answer["entries"])]
        self.assertEqual(sorted(named), self.mesh.identifiers())
        records = self.answer(commands.FetchRecords, nodes=named)["records"]
        self.assertEqual([NodeRecord.parse(record).identifier for record in records], named)

    def test_a_bad_table_is_refused_and_the_link_lives(self) -> None:
        self.answer(commands.SpreadNodes, incarnation=7, until=9, entries=b"xyz", heard_incarnation=0, heard=0)
        self.assertEqual(self.answer(commands.Ping), {"state": None})

    def test_testimony(self) -> None:
        third = self.mesh.nodes[3].identifier
        self.assertEqual(self.answer(commands.ProbeNode, node=third), {"alive": True})
        self.mesh.kill(3)
        asking = self.ask(commands.ProbeNode, node=third)
        self.mesh.clock.advance(2.0)
        self.pump.flush()
        self.assertEqual(self.successResultOf(asking), {"alive": False})

    def test_who_left_is_no_longer_live(self) -> None:
        states: list[NodeState | None] = []
        service = self.asked.service
        service.on_change.append(lambda: states.append(service.table.state(self.caller.identifier)))
        self.answer(commands.Leave)
        self.assertIs(states[0], NodeState.LEAVING)

    def test_outside_the_ring_no_step_is_given(self) -> None:
        leaving = Deferred.fromCoroutine(self.asked.service.leave())
        self.mesh.clock.advance(3.0)
        self.successResultOf(leaving)
        self.failureResultOf(self.ask(commands.NextHop, point=Identifier(5)), TryElsewhere)
        self.assertEqual(self.answer(commands.AskView)["state"], "leaving")

    def test_too_many_nodes_are_refused(self) -> None:
        box = amp.AmpBox({b"nodes": bytes(32 * (commands.MAX_RECORDS + 1))})
        self.assertRaises(Misbehaved, commands.FetchRecords.parseArguments, box, self.link)
