"""The way from a command to the agent of a home: its control socket, and an agent in the background if none runs."""

import argparse
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import SystemRandom
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as OutOfTime
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ConnectionClosed, ConnectionLost
from twisted.internet.task import deferLater
from twisted.protocols import amp

from p2pchat import request
from p2pchat.cli import running
from p2pchat.cli.options import AGENT as AGENT_OPTIONS
from p2pchat.cli.options import DEFAULT_TIMEOUT, attribute
from p2pchat.cli.places import home_of, is_held
from p2pchat.cli.programs import AGENT, start_detached
from p2pchat.cli.show import warn
from p2pchat.client.home import LOCK, socket_of
from p2pchat.errors import P2PChatError, RingUnknown, TimedOut, TryElsewhere, UserError
from p2pchat.settings import as_flags
from p2pchat.wire.connection import Link
from p2pchat.wire.faults import error_of
from p2pchat.wire.limits import CONTROL_LIMITS

START_SECONDS = 60.0
"""An agent that has not opened its socket by then is given up; a busy machine needs about 2."""

TRY_SECONDS = 0.05
"""Between two looks at the socket of an agent that starts."""

ANSWER_SECONDS = 2.0
"""What an answer may be late, beyond the time that the agent may spend."""

MAX_REASON_BYTES = 4096


class Agent:
    """An open link to the agent, and how much time the command still has."""

    def __init__(self, link: Link, clock: Any, seconds: float, logfile: Path) -> None:
        self.link, self.clock, self._logfile = link, clock, logfile
        self._deadline = clock.seconds() + seconds
        self._seconds = seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never quite zero: an agent that has answered in time is heard."""
        return max(float(self._deadline - self.clock.seconds()), 0.1)

    async def ask(self, command: type[amp.Command], **arguments: Any) -> dict[str, Any]:
        """Put one command to the agent; commands that take a time get what is left of ours."""
        if any(name == b"timeout" for name, _ in command.arguments):
            arguments["timeout"] = self.remaining
        try:
            return await ask(self.link, self.clock, command, self.remaining + ANSWER_SECONDS, **arguments)
        except OutOfTime:
            raise TimedOut(
                f"The agent gave no answer within {self._seconds:g} seconds; it goes on in the background."
                f" Running the command again is safe. Its log is {self._logfile}"
            ) from None
        except TryElsewhere as error:
            if self.link.usable:
                raise
            raise TryElsewhere(f"The agent has ended. Its log is {self._logfile}") from error


async def ask(link: Link, clock: Any, command: type[amp.Command], seconds: float, **arguments: Any) -> dict[str, Any]:
    """Put one command to an agent, which wants its `timeout` as an argument of the command's own.

    Raises:
        OutOfTime: no answer came.
        TryElsewhere: the link is lost, or the agent does not know the command.
    """
    request.begin(SystemRandom())
    answer: Deferred[dict[str, Any]] = maybeDeferred(link.callRemote, command, **arguments)
    answer.addTimeout(seconds, clock)
    try:
        return await answer
    except (ConnectionClosed, ConnectionLost) as error:
        raise TryElsewhere(f"The link to the agent is lost: {error}") from error
    except amp.RemoteAmpError as error:
        raise error_of(command, error.errorCode, str(error.description)) from None
    except amp.UnhandledCommand:
        raise TryElsewhere(f"The agent does not know {command.__name__}; it may run an older program.") from None


def with_agent(
    options: argparse.Namespace,
    action: Callable[[Agent], Awaitable[int]],
    locator: amp.CommandLocator | None = None,
) -> int:
    """Run `action` on a link to the agent of the options' home; the command's exit status."""

    async def act(reactor: Any) -> int:
        home = home_of(options)
        link = await connect(reactor, home, agent_options(options), locator)
        seconds = options.timeout or DEFAULT_TIMEOUT
        try:
            return await action(Agent(link, reactor, seconds, home / "agent.log"))
        finally:
            link.close()

    return running.run(act)


def agent_options(options: argparse.Namespace) -> list[str]:
    """What an agent that we start is told."""
    return as_flags(AGENT_OPTIONS, {each.name: getattr(options, attribute(each)) for each in AGENT_OPTIONS})


async def connect(
    reactor: Any,
    home: Path,
    options: Sequence[str],
    locator: amp.CommandLocator | None = None,
    announce: Callable[[str], None] = warn,
) -> Link:
    """A link to the agent of `home`, which is started with `options` if it does not run."""
    try:
        return await open_link(reactor, home, locator)
    except (ConnectError, OSError):
        pass
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    logfile = home / "agent.log"
    before = logfile.stat().st_size if logfile.exists() else 0
    child = start_detached(AGENT, ["--home", str(home), *options], home, logfile)
    announce(f"Started an agent for {home}; its log is {logfile}")
    deadline = reactor.seconds() + START_SECONDS
    while reactor.seconds() < deadline:
        await deferLater(reactor, TRY_SECONDS)
        ended = child.poll() is not None
        try:
            return await open_link(reactor, home, locator)
        except (ConnectError, OSError):
            if ended and not is_served(home):
                raise failed_start(child, logfile, before) from None
    raise TimedOut(f"The agent did not open its socket within {START_SECONDS:g} seconds. Its log is {logfile}")


async def open_link(reactor: Any, home: Path, locator: amp.CommandLocator | None) -> Link:
    """Connect to a running agent; ConnectError where none listens."""
    endpoint = UNIXClientEndpoint(reactor, str(socket_of(home)), checkPID=False)
    locators = [] if locator is None else [locator]
    link: Link = await connectProtocol(endpoint, Link(reactor, locators, CONTROL_LIMITS))
    return link


def is_served(home: Path) -> bool:
    """Whether some agent holds this home: another command may have started one at the same moment."""
    return is_held(home / LOCK)


def failed_start(child: "subprocess.Popen[bytes]", logfile: Path, before: int) -> P2PChatError:
    """Why an agent ended at once, from the end of its log."""
    with open(logfile, "rb") as log:
        log.seek(max(before, logfile.stat().st_size - MAX_REASON_BYTES))
        lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if not line.endswith("Server Shut Down.")), "it says nothing")
    text = f"The agent could not start: {reason} (status {child.returncode}; its log is {logfile})"
    return RingUnknown(text) if child.returncode == RingUnknown.exit_status else UserError(text)
