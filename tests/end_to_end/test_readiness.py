"""/readyz of a real node tells the truth: while its disk refuses writes, and while it hands everything over."""

import resource
import urllib.error
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Node, Stage, free_port, p2pchat, until

LITTLE_BYTES = 4096
"""No file may grow beyond this while the disk is taken for full: less than one page of SQLite's log."""


class ReadinessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)

    def spawn(self, *options: str) -> tuple[Node, str]:
        """A node with pages, and where they are."""
        host = f"127.0.0.{len(self.stage.nodes) + 2}"
        page = f"{host}:{free_port()}"
        words = ["--ring", f"{host}:0", "--clients", f"{host}:0", "--no-multicast", "--metrics", page]
        node = self.stage.ready(self.stage.spawn(*words, "--authority", str(self.stage.authority), *options))
        return node, f"http://{page}/readyz"

    def asked(self, url: str) -> tuple[int, str]:
        """Status and text; (0, "") once nobody listens."""
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def test_a_disk_that_refuses_writes(self) -> None:
        node, url = self.spawn("--slots", "16")
        self.assertEqual(self.asked(url), (200, "ready\n"))
        before = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (LITTLE_BYTES, before[1]))

        def refused() -> bool:
            status, text = self.asked(url)
            return status == 503 and "refuses writes" in text

        until(refused, "the node is ready though its disk takes no writes")
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, before)
        until(lambda: self.asked(url)[0] == 200, "the node does not get ready again")

    def test_a_node_that_is_drained(self) -> None:
        first, _ = self.spawn()
        leaving, url = self.spawn("--join", first.address)
        self.spawn("--join", first.address)
        self.stage.wait_for_growth(self.stage.nodes)
        # Ends in the middle: the time is over, and the node goes on serving until it is asked again.
        answer = p2pchat("ring", "drain", "--data", str(leaving.data), "--timeout", "0.1", folder=self.stage.folder)
        self.assertIn(answer.status, (0, 9), answer.errors)
        status, text = self.asked(url)
        self.assertTrue((status, text) == (0, "") or (status == 503 and "draining" in text), (status, text))
        p2pchat("ring", "drain", "--data", str(leaving.data), "--timeout", "60", folder=self.stage.folder)
        self.assertEqual(self.stage.ended(leaving), 0)
