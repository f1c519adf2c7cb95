"""Real services whose nodes come and go: lookups end, bytes are counted, one seed gives one result."""

from argparse import Namespace
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.commands import Ping
from p2pchat.simulation import turnover
from p2pchat.simulation.mesh import Mesh
from p2pchat.simulation.network import box_bytes
from p2pchat.simulation.papers import Papers
from p2pchat.simulation.traffic import ANSWER_BYTES, ASK_BYTES
from p2pchat.simulation.turnover import Lookups, Turnover, half

PAPERS = Papers("turnover")


class TurnoverTests(SynchronousTestCase):
    def test_nodes_come_and_go_and_no_lookup_fails(self) -> None:
        run = Turnover(PAPERS, 1, 10, 60.0)
        row = run.run(20)
        self.assertGreater(row["changes"], 10)
        self.assertEqual(row["failed"], 0)
        self.assertLess(row["hops"], 1.5)
        self.assertGreater(row["bytes"], 0)

    def test_half_of_them_die_at_once(self) -> None:
        row = half(PAPERS, 1, 16, 20)
        self.assertEqual(row["failed"], 0)
        self.assertLess(row["seconds"], 30.0)

    def test_lookups_pass_where_node_tables_hold_few(self) -> None:
        mesh = Mesh(PAPERS, 200, "few", most=80, coded=False)
        self.addCleanup(mesh.stop)
        mesh.build(range(1, 201))
        looks = Lookups(mesh, Random("few"))
        for _ in range(60):
            looks.begin()
        self.assertTrue(mesh.clock.run_while(lambda: looks.ended < looks.begun, 30.0))
        self.assertEqual((looks.failed, mesh.network.failures), (0, []))
        self.assertLess(sum(looks.hops) / 60, 3.0)
        self.assertTrue(all(len(node.service.table) <= 80 for node in mesh.nodes.values()))

    def test_upkeep_of_a_big_ring_is_counted_and_small(self) -> None:
        """The real figure is that of `benchmarks.upkeep`; here changes are ten times as frequent for each node."""
        run = Turnover(PAPERS, 3, 100, 1_800.0)
        payload, wire = run.measure(20.0, 40.0)
        run.mesh.stop()
        self.assertLess(sum(payload.values()), 300.0)
        self.assertGreater(sum(wire.values()), sum(payload.values()))
        self.assertLess(payload["AnnounceNode"], 60.0)

    def test_rows_are_those_of_both(self) -> None:
        rows = self.rows()
        self.assertEqual([row["system"] for row in rows], ["churn", "half"])
        self.assertEqual(rows, self.rows())

    def rows(self) -> list[dict[str, Any]]:
        return list(turnover.rows(Namespace(seed=2, seeds=1, nodes=6, lookups=5, progress=id)))

    def test_bytes_are_those_of_amp(self) -> None:
        answer = Ping.makeResponse({"state": "ready"}, None)
        asked = b"\0\4_ask\0\4" + b"ffff" + b"\0\x08_command\0\4Ping" + b"\0\0"
        self.assertEqual(ASK_BYTES + len("Ping"), len(asked))
        whole = b"\0\7_answer\0\4ffff" + b"\0\5state\0\5ready" + b"\0\0"
        self.assertEqual(ANSWER_BYTES + box_bytes(answer), len(whole))
