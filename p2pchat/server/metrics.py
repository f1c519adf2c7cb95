"""Numbers of one node for monitoring: /metrics (OpenMetrics), /livez and /readyz over HTTP."""

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from p2pchat.errors import P2PChatError
from p2pchat.server.status import NodeRow

MAX_REQUEST_BYTES = 8_192
IDLE_SECONDS = 30.0


class Metrics:
    """This node's numbers, gathered when somebody asks."""

    def __init__(self, row: Callable[[], Awaitable[NodeRow]], gauges: dict[str, Callable[[], float]]) -> None:
        """`gauges`: further numbers by name, read when asked."""
        self._row, self._more = row, gauges
        self.registry = CollectorRegistry()
        described = {
            "ready": "1 once this node is on the ring and listens",
            "users": "accounts that this node owns",
            "backups": "accounts that this node keeps for other owners",
            "sessions": "sessions of accounts that this node owns",
            "slots": "slots that this node is a member of",
            "members_least": "members of the smallest configuration that this node belongs to",
            "members_wanted": "members that a configuration should have",
            "deficit": "copies missing against the wanted number",
            "nodes": "live successors, and this node",
        }
        self._gauges = {
            name: Gauge(f"p2pchat_{name}", text, registry=self.registry) for name, text in described.items()
        }
        for name in gauges:
            self._gauges[name] = Gauge(f"p2pchat_{name}", name.replace("_", " "), registry=self.registry)

    async def text(self) -> bytes:
        """All numbers in the OpenMetrics format."""
        row = await self._row()
        for name in ("users", "backups", "sessions", "slots", "members_least", "members_wanted", "deficit"):
            self._gauges[name].set(getattr(row, name))
        self._gauges["ready"].set(row.state == "ready")
        self._gauges["nodes"].set(len({row.node, *row.successors}))
        for name, read in self._more.items():
            self._gauges[name].set(read())
        text: bytes = generate_latest(self.registry)
        return text


class _Page(Resource):
    """Answers GET with what `render_text` returns: a status and a text."""

    isLeaf = True
    _log = Logger()

    def __init__(self, text: Callable[[], Awaitable[tuple[int, bytes]]], kind: str = "text/plain") -> None:
        super().__init__()
        self._text, self._kind = text, kind

    def render_GET(self, request: Request) -> int:
        """Answer when the text is there."""
        gone = request.notifyFinish()
        answered = Deferred.fromCoroutine(self._answer(request))
        gone.addErrback(lambda _: answered.cancel())
        answered.addErrback(lambda why: self._log.debug("a reader of metrics went away"))
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        try:
            status, text = await self._text()
        except P2PChatError as error:
            status, text = 503, f"{error}\n".encode()
        request.setResponseCode(status)
        request.setHeader(b"content-type", self._kind.encode())
        request.write(text)
        request.finish()


def site(metrics: Metrics, ready: Callable[[], bool]) -> Site:
    """What to listen with."""
    root = Resource()

    async def numbers() -> tuple[int, bytes]:
        return 200, await metrics.text()

    async def live() -> tuple[int, bytes]:
        return 200, b"live\n"

    async def is_ready() -> tuple[int, bytes]:
        return (200, b"ready\n") if ready() else (503, b"not on the ring yet\n")

    root.putChild(b"metrics", _Page(numbers, CONTENT_TYPE_LATEST))
    root.putChild(b"livez", _Page(live))
    root.putChild(b"readyz", _Page(is_ready))
    made: Site = Site(root, timeout=IDLE_SECONDS)
    made.displayTracebacks = False
    made.noisy = False
    return made
