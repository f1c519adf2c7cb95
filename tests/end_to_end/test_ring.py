"""Rings of real nodes: they find each other, heal, come back from disk, and say how they are."""

import signal
import sqlite3
import urllib.error
import urllib.request
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Node, Row, Stage, free_port, group, p2pchat, ring_of_five, until

ENDED = (0, -signal.SIGTERM)
"""How a node that was asked to stop may end: twistd passes the signal on once it has stopped."""


class SharedRingTests(SynchronousTestCase):
    """What can be asked of a ring without disturbing it."""

    def setUp(self) -> None:
        self.stage: Stage = ring_of_five()

    def test_every_node_tells_the_same_circle(self) -> None:
        circle = sorted(node.name for node in self.stage.nodes)
        for node in self.stage.nodes:
            rows = {row["node"]: row for row in self.stage.status(node)}
            self.assertEqual(sorted(rows), circle)
            for place, name in enumerate(circle):
                self.assertEqual(rows[name]["predecessor"], circle[place - 1])
                following = [circle[(place + step) % len(circle)] for step in range(1, len(circle))]
                self.assertEqual(rows[name]["successors"], following)
                self.assertLessEqual(set(rows[name]["fingers"]), set(circle))

    def test_a_row_is_what_the_contract_says(self) -> None:
        node = self.stage.nodes[0]
        row = next(row for row in self.stage.status(node) if row["node"] == node.name)
        self.assertEqual((row["address"], row["clients"], row["state"]), (node.address, node.clients, "ready"))
        self.assertEqual((row["slots"], row["members"]), (1024, {"least": 5, "wanted": 5}))
        numbers = ("users", "backups", "sessions", "slots", "deficit")
        self.assertTrue(all(isinstance(row[each], int) for each in numbers))
        expected = {"node", "address", "clients", "state", "predecessor", "successors", "fingers", "members", *numbers}
        self.assertEqual(set(row), expected)

    def test_users_and_backups_add_up(self) -> None:
        self.stage.person("lena").register()

        def counted() -> bool:
            rows = self.stage.status(self.stage.nodes[0])
            users, backups = sum(row["users"] for row in rows), sum(row["backups"] for row in rows)
            return bool(users) and backups == 4 * users

        until(counted, "accounts are not kept by five nodes")
        until(lambda: self.names("users").count("lena") == 1, "lena has no owner")
        self.assertEqual(self.names("backups").count("lena"), 4)

    def names(self, view: str) -> list[str]:
        """A view of all databases together."""
        found: list[str] = []
        for node in self.stage.nodes:
            with sqlite3.connect(f"file:{node.data}/node.sqlite3?mode=ro", uri=True) as database:
                found += [name for (name,) in database.execute(f"SELECT name FROM {view}")]
            database.close()
        return found

    def test_a_trace_names_the_slots_members(self) -> None:
        self.stage.person("marta").register()
        node = self.stage.nodes[2]
        answer = p2pchat("ring", "trace", "marta", "--data", str(node.data), "--json", folder=self.stage.folder)
        self.assertEqual(answer.status, 0, answer.errors)
        self.assertEqual(set(answer.row["members"]), {each.name for each in self.stage.nodes})
        self.assertIn(answer.row["owner"], answer.row["members"])

    def test_an_operator_asks_over_the_ring_port(self) -> None:
        operator = self.stage.folder / "operator.pem"
        words = ["ring", "admit", "--authority", str(self.stage.authority), "--operator", "--out", str(operator)]
        self.assertEqual(p2pchat(*words, folder=self.stage.folder).status, 0)
        asked = ["ring", "status", self.stage.nodes[1].address, "--operator", str(operator), "--json", "--users"]
        answer = p2pchat(*asked, folder=self.stage.folder)
        self.assertEqual(answer.status, 0, answer.errors)
        self.assertEqual(len([row for row in answer.rows if "node" in row]), 5)

    def test_without_a_certificate_nobody_is_answered(self) -> None:
        address = self.stage.nodes[1].address
        answer = p2pchat("ring", "status", address, "--json", folder=self.stage.folder)
        self.assertEqual((answer.status, answer.output), (2, ""))


class OwnRingTests(SynchronousTestCase):
    """What changes a ring."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)

    def rows(self, node: Node) -> dict[str, Row]:
        return {row["node"]: row for row in self.stage.status(node)}

    def wait_for(self, node: Node, look: Any, otherwise: str) -> None:
        until(lambda: look(self.rows(node)), f"{otherwise}\n{node.log}")

    def test_five_find_each_other_by_multicast_and_grow(self) -> None:
        told = group()
        for number in range(5):
            host = f"127.0.0.{number + 11}"
            addresses = ["--ring", f"{host}:0", "--clients", f"{host}:0"]
            found = ["--multicast", told, "--interface", "127.0.0.1", "--authority", str(self.stage.authority)]
            self.stage.spawn(*addresses, *found)
        for node in self.stage.nodes:
            self.stage.ready(node)
        self.assertEqual(len({node.ring for node in self.stage.nodes}), 1)
        self.stage.wait_for_growth(self.stage.nodes)

    def test_a_ring_heals_after_a_kill_and_takes_the_node_back(self) -> None:
        nodes = self.stage.start_ring(4)
        person = self.stage.person("nora", nodes[0])
        person.register()
        dead, asked = nodes[3], nodes[0]
        dead.kill()
        self.wait_for(asked, lambda rows: rows[dead.name]["state"] == "dead", "a dead node is not noticed")
        rest = sorted(node.name for node in nodes[:3])

        def healed(rows: dict[str, Row]) -> bool:
            near = [rows[name]["predecessor"] == rest[place - 1] for place, name in enumerate(rest)]
            return all(near) and all(rows[name]["members"]["least"] == 3 for name in rest)

        self.wait_for(asked, healed, "the ring does not heal")
        back = self.stage.ready(self.stage.spawn_member(data=dead.data))
        self.assertEqual(back.name, dead.name)
        self.stage.wait_for_growth([*nodes[:3], back])
        self.assertEqual(person("session").row["state"], "active")

    def test_a_ring_comes_back_from_its_disks_without_seeds(self) -> None:
        nodes = self.stage.start_ring(3)
        port = {node.name: (node.address, node.clients) for node in nodes}
        person = self.stage.person("otto", *nodes)
        person.register()
        for node in nodes:
            self.assertIn(node.stop(), ENDED)
        again = []
        for node in nodes:
            ring, clients = port[node.name]
            again.append(self.stage.spawn("--ring", ring, "--clients", clients, "--no-multicast", data=node.data))
        for node in again:
            self.stage.ready(node)
        self.stage.wait_for_growth(again)
        until(lambda: person("session", status=None).rows[:1] and self.reachable(person), "the account is gone")

    def reachable(self, person: Any) -> bool:
        """Whether the ring still knows the person."""
        answer = person("status", person.name, status=None)
        return bool(answer.status == 0 and answer.row["fingerprint"])

    def test_a_node_that_comes_back_elsewhere_is_the_same_node(self) -> None:
        nodes = self.stage.start_ring(3)
        moved = nodes[2]
        self.assertIn(moved.stop(), ENDED)
        again = self.stage.ready(self.stage.spawn_member(nodes[0], data=moved.data))
        self.assertEqual(again.name, moved.name)
        self.assertNotEqual(again.address, moved.address)

        def known(rows: dict[str, Row]) -> bool:
            row = rows[again.name]
            return bool(row["state"] == "ready" and row["address"] == again.address)

        for node in nodes[:2]:
            self.wait_for(node, known, "the new address is not known")

    def test_numbers_and_probes_over_http(self) -> None:
        port = free_port()
        options = ["--ring", "127.0.0.9:0", "--clients", "127.0.0.9:0", "--no-multicast"]
        own = ["--authority", str(self.stage.authority), "--metrics", f"127.0.0.9:{port}"]
        self.stage.ready(self.stage.spawn(*options, *own))
        for page, words in (("livez", "live"), ("readyz", "ready"), ("metrics", "p2pchat_slots 1024.0")):
            with urllib.request.urlopen(f"http://127.0.0.9:{port}/{page}", timeout=60) as answer:
                self.assertIn(words, answer.read().decode())
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.9:{port}/nothing", timeout=60)

    def test_options_come_from_the_environment_and_a_file(self) -> None:
        config = self.stage.folder / "node.toml"
        config.write_text('ring = "127.0.0.8:0"\nclients = "127.0.0.8:0"\nno-multicast = true\nslots = 16\n')
        node = self.stage.ready(self.stage.spawn("--config", str(config), "--replicas", "2"))
        self.assertTrue(node.address.startswith("127.0.0.8:"))
        self.assertEqual(self.stage.status(node)[0]["slots"], 16)
