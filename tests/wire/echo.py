"""Commands and a locator to try links with."""

from twisted.internet.defer import Deferred
from twisted.protocols import amp

from p2pchat.errors import LookupFailed, TryElsewhere, on_wire
from p2pchat.wire.arguments import Blob, Natural, Text


class Echo(amp.Command):
    """Say the same."""

    arguments = [(b"text", Text(100))]
    response = [(b"text", Text(100))]
    errors = on_wire(TryElsewhere, LookupFailed)


class Fetch(amp.Command):
    """Bytes of a size, to try limits."""

    arguments = [(b"size", Natural())]
    response = [(b"first", Blob()), (b"second", Blob())]


class Fail(amp.Command):
    """Fail as told."""

    errors = on_wire(TryElsewhere, LookupFailed)


class Unknown(amp.Command):
    """Nobody answers this."""


class Echoing(amp.CommandLocator):
    """Answers at once, or when the test says so."""

    def __init__(self) -> None:
        self.wait = False
        self.waiting: list[Deferred[None]] = []
        self.heard: list[str] = []
        self.error: Exception = RuntimeError("a bug")

    @Echo.responder
    async def echo(self, text: str) -> dict[str, object]:
        self.heard.append(text)
        if self.wait:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        return {"text": text}

    @Fetch.responder
    def fetch(self, size: int) -> dict[str, object]:
        return {"first": bytes(size), "second": bytes(size)}

    @Fail.responder
    def fail(self) -> dict[str, object]:
        raise self.error
