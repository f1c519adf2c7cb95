"""/metrics, /livez and /readyz over HTTP."""

from collections.abc import Awaitable, Callable

from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from p2pchat.errors import P2PChatError

IDLE_SECONDS = 30.0


class _Page(Resource):
    """Answers GET with what `text` returns: a status and a text."""

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
        except CancelledError:
            raise
        except Exception:
            self._log.failure("a page of numbers could not be made")
            status, text = 500, b"this page cannot be made; the node's log has the cause\n"
        request.setResponseCode(status)
        request.setHeader(b"content-type", self._kind.encode())
        request.write(text)
        request.finish()


def site(metrics: Callable[[], Awaitable[bytes]], why_not: Callable[[], Awaitable[str]]) -> Site:
    """What to listen with.

    Args:
        metrics: the page of numbers.
        why_not: why the node is not ready; empty when it is.
    """
    root = Resource()

    async def numbers() -> tuple[int, bytes]:
        return 200, await metrics()

    async def live() -> tuple[int, bytes]:
        return 200, b"live\n"

    async def ready() -> tuple[int, bytes]:
        why = await why_not()
        return (503, f"not ready: {why}\n".encode()) if why else (200, b"ready\n")

    root.putChild(b"metrics", _Page(numbers, CONTENT_TYPE_LATEST))
    root.putChild(b"livez", _Page(live))
    root.putChild(b"readyz", _Page(ready))
    made: Site = Site(root, timeout=IDLE_SECONDS)
    made.displayTracebacks = False
    made.noisy = False
    return made
