"""Numbers of a node in the OpenMetrics form, and what probes see."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from p2pchat.errors import TryElsewhere
from p2pchat.identifiers import Identifier
from p2pchat.server.metrics import Metrics, site
from p2pchat.server.status import NodeRow


class MetricsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ready, self.failing = True, False
        self.metrics = Metrics(self.row, {"links": lambda: 7})
        self.site = site(self.metrics, lambda: self.ready)

    async def row(self) -> NodeRow:
        if self.failing:
            raise TryElsewhere("This node is stopping.")
        ring = (Identifier(2), Identifier(3))
        return NodeRow(Identifier(1), "192.0.2.1:7401", "192.0.2.1:7402", "ready", successors=ring, users=5, deficit=2)

    def get(self, path: bytes) -> tuple[int, str]:
        request = DummyRequest([path])
        page = self.site.resource.children[path]
        done = request.notifyFinish()
        page.render(request)
        self.successResultOf(done)
        return request.responseCode or 200, b"".join(request.written).decode()

    def test_numbers_of_the_row_and_others_are_there(self) -> None:
        status, text = self.get(b"metrics")
        self.assertEqual(status, 200)
        for line in ("p2pchat_users 5.0", "p2pchat_deficit 2.0", "p2pchat_links 7.0", "p2pchat_nodes 3.0"):
            self.assertIn(line, text.splitlines())
        self.assertTrue(text.endswith("# EOF\n"))

    def test_probes(self) -> None:
        self.assertEqual(self.get(b"livez")[0], 200)
        self.assertEqual(self.get(b"readyz")[0], 200)
        self.ready = False
        self.assertEqual(self.get(b"readyz")[0], 503)

    def test_a_node_that_cannot_count_says_so(self) -> None:
        self.failing = True
        status, text = self.get(b"metrics")
        self.assertEqual((status, text), (503, "This node is stopping.\n"))

    def test_nothing_waits(self) -> None:
        self.assertIsInstance(self.successResultOf(Deferred.fromCoroutine(self.metrics.text())), bytes)
