"""The doctor at a ring of three: all well, a node away, a node that is to start, and one of another ring."""

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Answer, Node, Row, Stage, free_port, p2pchat, until


class DoctorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)

    def doctor(self, node: Node, *words: str) -> Answer:
        told = ["--data", str(node.data), "--no-multicast", "--json", *words]
        return p2pchat("doctor", *told, folder=self.stage.folder)

    def of(self, answer: Answer, check: str) -> list[Row]:
        return [row for row in answer.rows if row["check"] == check]

    def test_a_ring_and_what_can_happen_to_it(self) -> None:
        nodes = self.stage.start_ring(3)
        first, last = nodes[0], nodes[2]

        def compared() -> bool:
            answer = self.doctor(first)
            judged = self.of(answer, "ring") + self.of(answer, "clock")
            return answer.status == 0 and {row["state"] for row in judged} == {"ok"}

        until(compared, "the doctor is not content with a whole ring")
        answer = self.doctor(first)
        ports = [row["text"] for row in self.of(answer, "port")]
        self.assertEqual(ports, [f"ring {first.address} is answered", f"clients {first.clients} is answered"])
        last.kill()

        def missed() -> bool:
            away = [row for row in self.of(self.doctor(first), "ring") if last.name in row["text"]]
            return bool(away) and away[0]["state"] == "warning"

        until(missed, "the doctor does not miss a node that was killed")
        free = ("--ring", "127.0.0.1:0", "--clients", "127.0.0.1:0")
        answer = self.doctor(last, *free, "--join", f"127.0.0.1:{free_port()}")
        self.assertEqual([row["state"] for row in self.of(answer, "ring")], ["failed"])
        answer = self.doctor(last, *free, "--join", first.address, "--join", f"127.0.0.1:{free_port()}")
        self.assertEqual([row["state"] for row in self.of(answer, "ring")], ["ok", "warning"])
        self.assertEqual(answer.status, 0, answer.output)
        self.assertIn(f"{first.address} answers: node {first.name}", [row["text"] for row in self.of(answer, "ring")])
        other = self.stage.folder / "other"
        p2pchat("ring", "create", str(other), folder=self.stage.folder)
        stranger = Node(self.stage.folder / "stranger", last.process)
        p2pchat("ring", "admit", "--authority", str(other), "--data", str(stranger.data), folder=self.stage.folder)
        answer = self.doctor(stranger, *free, "--join", first.address, "--join", last.address)
        self.assertEqual(answer.status, 1)
        self.assertEqual([row["state"] for row in self.of(answer, "ring")], ["failed", "warning"])
        told = " ".join(row["text"] for row in self.of(answer, "ring"))
        self.assertIn("belongs to the ring", told)
        self.assertIn("does not answer as a node", told)

    def test_the_host_of_an_agent(self) -> None:
        node = self.stage.ready(self.stage.spawn_member())
        home = self.stage.folder / "home"
        own = ("doctor", "client", "--home", str(home), "--no-multicast", "--json")

        def doctor(*words: str) -> Answer:
            return p2pchat(*own, *words, folder=self.stage.folder)

        answer = doctor("--server", node.clients, "--ring-certificate", str(self.stage.authority / "root.pem"))
        self.assertEqual((answer.status, {row["state"] for row in answer.rows}), (0, {"ok"}), answer.output)
        self.assertEqual(
            [row["text"] for row in self.of(answer, "ring")], [f"{node.clients} answers: node {node.name}"]
        )
        other = self.stage.folder / "other"
        p2pchat("ring", "create", str(other), folder=self.stage.folder)
        answer = doctor("--server", node.clients, "--ring-certificate", str(other / "root.pem"))
        self.assertEqual((answer.status, self.of(answer, "ring")[0]["state"]), (1, "failed"))
        home.mkdir()
        (home / "ring.pem").write_text("nonsense")
        answer = doctor("--server", f"127.0.0.1:{free_port()}", "--listen", node.clients)
        failed = {row["check"] for row in answer.rows if row["state"] == "failed"}
        self.assertEqual((answer.status, failed), (1, {"certificate", "port", "ring"}))
