"""Rows of nodes survive the wire and are shown as the contract says."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identifiers import Identifier
from p2pchat.server.commands import MAX_PAGE_NODES, AskRing, AskStatus
from p2pchat.server.rows import MAX_SHOWN
from p2pchat.server.status import NodeRow

FIRST, SECOND = Identifier(0x1A2B3C4D << 224), Identifier(0x5E6F7A8B << 224)
ROW = NodeRow(FIRST, "192.0.2.1:7401", "192.0.2.1:7402", "ready", SECOND, (SECOND,), (SECOND,), 1, 2, 3, 4, 3, 5, 6)


class NodeRowTests(SynchronousTestCase):
    def test_the_wire_gives_it_back(self) -> None:
        answer = AskStatus.makeResponse(ROW.values(), None)
        self.assertEqual(NodeRow.parse(AskStatus.parseResponse(answer, None)), ROW)

    def test_a_node_without_predecessor_and_numbers(self) -> None:
        row = NodeRow(FIRST, "a:1", "a:2", "dead")
        answer = AskStatus.makeResponse(row.values(), None)
        self.assertEqual(NodeRow.parse(AskStatus.parseResponse(answer, None)), row)

    def test_it_is_shown_as_the_contract_says(self) -> None:
        self.assertEqual(
            ROW.shown(),
            {
                "node": "1a2b3c4d",
                "address": "192.0.2.1:7401",
                "clients": "192.0.2.1:7402",
                "state": "ready",
                "predecessor": "5e6f7a8b",
                "successors": ["5e6f7a8b"],
                "fingers": ["5e6f7a8b"],
                "users": 1,
                "backups": 2,
                "sessions": 3,
                "slots": 4,
                "members": {"least": 3, "wanted": 5},
                "deficit": 6,
            },
        )

    def test_nodes_without_progress_are_named_while_there_are_some(self) -> None:
        row = replace(ROW, passed_over=(SECOND,))
        answer = AskStatus.makeResponse(row.values(), None)
        self.assertEqual(NodeRow.parse(AskStatus.parseResponse(answer, None)), row)
        self.assertEqual(row.shown()["passed_over"], ["5e6f7a8b"])

    def test_what_an_older_node_does_not_say_is_none(self) -> None:
        answer = AskStatus.makeResponse(ROW.values(), None)
        del answer[b"passed_over"]
        self.assertEqual(NodeRow.parse(AskStatus.parseResponse(answer, None)).passed_over, ())

    def test_a_page_of_nodes_with_long_lists_fits_into_a_value(self) -> None:
        many = tuple(Identifier(number) for number in range(20))
        row = NodeRow(FIRST, "a" * 250 + ":7401", "a" * 250 + ":7402", "suspected", SECOND, many, many)
        row = replace(row, passed_over=many[:MAX_SHOWN])
        box = AskRing.makeResponse({"nodes": [row.values()] * MAX_PAGE_NODES, "next": 1}, None)
        self.assertLess(max(map(len, box.values())), 65_536)
