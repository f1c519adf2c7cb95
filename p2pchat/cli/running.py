"""Runs one coroutine under the reactor for a command; the only place in cli that imports the reactor."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

Answer = TypeVar("Answer")

reactor: Any = installed


def run(action: Callable[[Any], Awaitable[Answer]]) -> Answer:
    """Give the reactor to `action`, wait for its end; its errors are raised here, Ctrl-C as KeyboardInterrupt."""
    outcome: list[Answer | Failure] = []

    def ended(result: Answer | Failure) -> None:
        outcome.append(result)
        if reactor.running:
            reactor.stop()

    async def act() -> Answer:
        return await action(reactor)

    def begin() -> None:
        running.append(Deferred.fromCoroutine(act()))
        running[0].addBoth(ended)

    running: list[Deferred[Answer]] = []
    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:
        running[0].cancel()
        raise KeyboardInterrupt
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]
