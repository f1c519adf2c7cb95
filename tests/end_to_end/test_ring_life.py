"""The life of a ring in real processes: eviction, drain, backup, lost majorities, restarts."""

import shutil
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import TestCase

from tests.end_to_end.stage import Answer, Node, Stage, p2pchat, until

NOT_ADMITTED = 3


class RingLifeTests(TestCase):
    """Each test has a ring of its own."""

    timeout = 600

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)

    def ring(self, *words: str, status: int = 0) -> Answer:
        """An operator's command."""
        answer = p2pchat("ring", *words, folder=self.stage.folder)
        self.assertEqual(answer.status, status, f"{words}: {answer.output}{answer.errors}")
        return answer

    def until_seen(self, node: Node, fine: Callable[[list[dict[str, Any]]], bool], otherwise: str) -> None:
        """Wait until a node's view of the ring is as wished."""
        until(lambda: fine(self.stage.status(node)), otherwise)


class EvictionTests(RingLifeTests):
    """`ring evict`."""

    def test_an_evicted_node_ends_and_its_agents_go_elsewhere(self) -> None:
        nodes = self.stage.start_ring(3)
        out = nodes[2]
        person = self.stage.person("olga", out)
        person.register()
        self.assertEqual(person("status").row["node"], out.name)
        where = ("--authority", str(self.stage.authority), "--data", str(nodes[0].data))
        row = self.ring("evict", *where, out.name, "--json").row
        self.assertEqual((row["evictions"], row["nodes"]), (1, 3))
        self.assertEqual(self.stage.ended(out), NOT_ADMITTED)
        self.assertIn("evicted", out.log)
        self.until_seen(
            nodes[1], lambda rows: out.name not in {row["node"] for row in rows}, "the evicted node is still known"
        )
        until(lambda: person("status").row["node"] in {nodes[0].name, nodes[1].name}, "the agent stays where it was")
        again = self.stage.spawn_member(nodes[0], data=out.data)
        self.assertEqual(self.stage.ended(again), NOT_ADMITTED)


class LeavingTests(RingLifeTests):
    """`ring drain`, `ring backup` and `ring restore`."""

    def test_nodes_leave_one_after_the_other_and_a_copy_goes_back_in(self) -> None:
        nodes = self.stage.start_ring(3)
        anna, berta = self.stage.person("anna", *nodes), self.stage.person("berta", *nodes)
        anna.register()
        berta.register()
        berta("logout")
        anna("send", "berta", "before the copy")
        copy = self.stage.folder / "copy.sqlite3"
        row = self.ring("backup", "--data", str(nodes[0].data), str(copy), "--json").row
        self.assertGreater(row["bytes"], 0)
        self.ring("backup", "--data", str(nodes[0].data), str(copy), status=1)
        for node in nodes[:2]:
            self.ring("drain", "--data", str(node.data), "--timeout", "90")
            self.assertEqual(self.stage.ended(node), 0)
        refused = self.ring("drain", "--data", str(nodes[2].data), status=1)
        self.assertIn("last live node", refused.errors)
        row = self.ring("restore", "--data", str(nodes[2].data), str(copy), "--json").row
        self.assertEqual((row["created"], row["other"], row["refused"]), (0, 0, 0))
        self.assertGreaterEqual(row["envelopes"], 1)
        self.assertEqual(row["same"] + row["newer"], 2)
        berta.login()
        self.assertEqual(until(lambda: berta.texts_from(anna), "the message is lost"), ["before the copy"])


class RestartTests(RingLifeTests):
    """Disks outlive the processes; a copy of a disk is no disk."""

    def test_everything_is_there_after_all_were_killed_and_came_back_elsewhere(self) -> None:
        nodes = self.stage.start_ring(3)
        anna, berta = self.stage.person("anna", *nodes), self.stage.person("berta", *nodes)
        anna.register()
        berta.register()
        berta("logout")
        anna("send", "berta", "before the power cut")
        anna.stop_agent()
        for node in nodes:
            node.kill()
        first = self.stage.spawn_member(data=nodes[0].data)
        again = [self.stage.ready(first)]
        again += [self.stage.ready(self.stage.spawn_member(first, data=node.data)) for node in nodes[1:]]
        self.assertEqual([node.name for node in again], [node.name for node in nodes])
        self.assertFalse({node.address for node in again} & {node.address for node in nodes})
        self.stage.wait_for_growth(again)
        berta.servers = [node.clients for node in again]
        berta.stop_agent()
        berta.login()
        self.assertEqual(until(lambda: berta.texts_from(anna), "the message is lost"), ["before the power cut"])

    def test_an_older_copy_of_a_disk_takes_no_part(self) -> None:
        nodes = self.stage.start_ring(3)
        node, copy = nodes[2], self.stage.folder / "copy"
        node.stop()
        shutil.copytree(node.data, copy, ignore=shutil.ignore_patterns("*.sock*"))
        for _ in range(2):
            node = self.stage.ready(self.stage.spawn_member(nodes[0], data=node.data))
            node.stop()
        refused = self.stage.spawn_member(nodes[0], data=copy)
        self.assertEqual(self.stage.ended(refused), 1)
        self.assertIn("older copy", refused.log)


class LostMajorityTests(RingLifeTests):
    """`ring evict --lost-majority`."""

    def test_one_of_three_goes_on_with_everything_and_the_lost_ones_stay_out(self) -> None:
        nodes = self.stage.start_ring(3)
        anna = self.stage.person("anna", nodes[0])
        anna.register()
        for node in nodes[1:]:
            node.kill()
        lost = [node.name for node in nodes[1:]]
        where = ("--authority", str(self.stage.authority), "--data", str(nodes[0].data), "--lost-majority")
        refused = self.ring("evict", *where, lost[0], status=1)
        self.assertIn(lost[1], refused.errors)
        row = self.ring("evict", *where, *lost, "--json").row
        self.assertEqual((row["generation"], row["survivors"], row["slots_lost"]), (1, [nodes[0].name], 0))
        self.assertEqual(row["slots_doubtful"], 1024)
        anna.login("--without-handover")
        self.stage.person("berta", nodes[0]).register()
        back = self.stage.spawn_member(nodes[0], data=nodes[1].data)
        self.assertEqual(self.stage.ended(back), NOT_ADMITTED)
        self.assertEqual(self.ring("trace", "anna", "--data", str(nodes[0].data), "--json").row["epoch"], "1.0")
