"""A chat screen on a virtual terminal, and an agent that answers what a test wants."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import ScriptedScreen

from p2pchat.client import commands
from p2pchat.errors import P2PChatError, TryElsewhere
from p2pchat.tui.chat.controller import Controller
from p2pchat.tui.preferences import Preferences
from p2pchat.tui.screen import Screen

SIZE = (80, 24)


class Agent:
    """Answers from what a test put in, and notes what was asked."""

    def __init__(self, clock: MemoryReactorClock) -> None:
        self.clock = clock
        self.locator: amp.CommandLocator | None = None
        self._lost: Callable[[Any], None] = lambda link: None
        self.asked: list[tuple[type[amp.Command], dict[str, Any]]] = []
        self.state = "active"
        self.messages: list[dict[str, Any]] = []
        self.chats = [{"user": "bob", "unread": 1, "last": None}, {"user": "carol", "unread": 0, "last": None}]
        self.people: list[dict[str, Any]] = []
        self.failures: dict[type[amp.Command], P2PChatError] = {}
        self.session: dict[str, Any] = {}
        self.running = True

    async def connect(self, locator: amp.CommandLocator) -> Any:
        if not self.running:
            raise TryElsewhere("no agent")
        self.locator = locator
        return self

    def callRemote(self, command: type[amp.Command], **arguments: Any) -> Deferred[dict[str, Any]]:
        self.asked.append((command, arguments))
        answer: Deferred[dict[str, Any]] = Deferred()
        if command in self.failures:
            answer.errback(self.failures[command])
        else:
            answer.callback(self._answer(command, arguments))
        return answer

    def _answer(self, command: type[amp.Command], arguments: dict[str, Any]) -> dict[str, Any]:
        user = None if self.state == "none" else "me"
        connection = {"user": user, "state": self.state, "node": "1a2b3c4d", "ring": "ff" * 32, "connected": True}
        found: dict[type[amp.Command], dict[str, Any]] = {
            commands.Connection: {"connection": connection},
            commands.Chats: {"chats": self.chats, "more": False},
            commands.Session: {"session": {"user": user, "state": self.state, **self.session}},
            commands.Contacts: {"people": self.people, "more": False},
            commands.History: {"messages": list(self.messages), "more": False},
            commands.Status: {"person": {"user": arguments.get("user"), "presence": "online"}},
            commands.Verify: {
                "person": {"user": "bob", "digits": ["00001", "00002"], "own_digits": ["00003", "00004"]}
            },
            commands.Send: {"sent": {}, "status": 0, "reason": ""},
            commands.Register: {"account": {"user": "me", "recovery_key": "RECOVERY-KEY-1234"}},
            commands.Cancel: {"attempts": 2},
            commands.Settings: {"settings": {"handover": "never", "read_receipts": False}},
            commands.Why: {
                "message": next((each for each in self.messages if each["id"] == arguments.get("id")), {}),
                "steps": [{"at": "2026-01-02T03:04:05.678Z", "step": "add", "copies": 5, "wanted": 5}],
            },
        }
        return found.get(command) or {}

    def push(self, **event: Any) -> None:
        assert self.locator is not None
        responder: Callable[..., Any] = self.locator.happened  # type: ignore[attr-defined]
        responder(event)

    def when_lost(self, tell: Callable[[Any], None]) -> None:
        self._lost = tell

    def close(self) -> None:
        self.running = False

    def end(self) -> None:
        """The process is gone."""
        self.running = False
        self._lost(self)


def message(id: str, text: str, author: str = "bob", state: str = "received") -> dict[str, Any]:  # noqa: A002
    return {
        "id": id,
        "from": author,
        "to": "me",
        "text": text,
        "sent_at": "2026-01-02T03:04:05Z",
        "state": state,
        "copies": 0,
    }


class ChatCase(SynchronousTestCase):
    """A chat screen, and keys for it."""

    size = SIZE
    preferences = Preferences()

    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.agent = Agent(self.clock)
        self.left: list[P2PChatError | None] = []
        self.screen = Screen(self.clock, ScriptedScreen(size=self.size), "none")
        self.make()

    def make(self, **options: Any) -> None:
        """The controller, with what a test gives it beside the preferences."""
        options = {"preferences": self.preferences, **options}
        self.controller = Controller(self.screen, self.agent.connect, self.clock, self.left.append, **options)

    def start(self) -> None:
        self.controller.start()
        self.clock.advance(1)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.screen.loop.process_input(self.screen.loop.input_filter([key], []))
            self.clock.advance(0.1)

    def enter_text(self, text: str) -> None:
        self.press(*text)

    def text(self) -> str:
        lines = self.screen.loop.widget.render(self.size, focus=True).decoded_text
        self.assertEqual(len(lines), self.size[1])
        return "\n".join(lines)

    def asked(self, command: type[amp.Command]) -> list[dict[str, Any]]:
        return [arguments for each, arguments in self.agent.asked if each is command]
