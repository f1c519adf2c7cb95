"""The chat screen on a virtual terminal: keys in, agent's answers and events in, text out."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols import amp
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import ScriptedScreen

from p2pchat.client import commands
from p2pchat.errors import NameTaken, P2PChatError, TryElsewhere
from p2pchat.tui.chat.controller import Controller
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
            commands.Contacts: {"people": self.people, "more": False},
            commands.History: {"messages": list(self.messages), "more": False},
            commands.Status: {"person": {"user": arguments.get("user"), "presence": "online"}},
            commands.Verify: {
                "person": {"user": "bob", "digits": ["00001", "00002"], "own_digits": ["00003", "00004"]}
            },
            commands.Send: {"sent": {}, "status": 0, "reason": ""},
            commands.Register: {"account": {"user": "me", "recovery_key": "RECOVERY-KEY-1234"}},
            commands.Why: {
                "message": {},
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


class ScreenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.agent = Agent(self.clock)
        self.left: list[P2PChatError | None] = []
        self.screen = Screen(self.clock, ScriptedScreen(size=SIZE), "mono")
        self.controller = Controller(self.screen, self.agent.connect, self.clock, self.left.append)

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
        lines = self.screen.loop.widget.render(SIZE, focus=True).decoded_text
        self.assertEqual(len(lines), SIZE[1])
        return "\n".join(lines)

    def asked(self, command: type[amp.Command]) -> list[dict[str, Any]]:
        return [arguments for each, arguments in self.agent.asked if each is command]

    def test_the_list_and_the_own_state_are_shown(self) -> None:
        self.start()
        self.assertIn("bob 1", self.text())
        self.assertIn("carol", self.text())
        self.assertIn("me │ node 1a2b3c4d", self.text())

    def test_a_chat_is_opened_by_name_and_counts_as_read(self) -> None:
        self.agent.messages = [message("1", "hello there")]
        self.start()
        self.press("ctrl k", *"bob", "enter")
        self.assertIn("bob: hello there", self.text())
        self.assertIn("─── new ───", self.text())
        self.assertEqual(self.asked(commands.MarkRead), [{"user": "bob"}])

    def test_ctrl_k_takes_a_new_name(self) -> None:
        self.start()
        self.press("ctrl k", *"dora", "enter")
        self.assertEqual(self.asked(commands.History)[-1]["user"], "dora")

    def test_what_is_typed_is_sent_and_its_state_follows(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("hi")
        self.press("enter")
        self.assertEqual(self.asked(commands.Send)[-1]["text"], "hi")
        self.agent.push(event="sent", chat="bob", **message("9", "hi", "me", "queued"))
        self.clock.advance(0.1)
        self.assertIn("me: hi …", self.text())
        self.agent.push(event="receipt", id="9", to="bob", state="stored", copies=5)
        self.clock.advance(0.1)
        self.assertIn("me: hi ◔ 5", self.text())
        self.agent.push(event="receipt", id="9", to="bob", state="delivered", copies=5)
        self.clock.advance(0.1)
        self.assertIn("me: hi ✓", self.text())

    def test_a_pasted_text_is_one_message(self) -> None:
        self.start()
        self.press("meta a", "begin paste", *"a", "enter", *"b", "end paste")
        self.assertEqual(self.asked(commands.Send), [])
        self.press("enter")
        self.assertEqual([each["text"] for each in self.asked(commands.Send)], ["a\nb"])

    def test_an_event_from_outside_is_drawn_without_a_key(self) -> None:
        self.start()
        self.press("meta a")
        self.agent.push(event="message", chat="bob", **message("3", "knock knock"))
        self.clock.advance(0.1)
        self.assertIn("bob: knock knock", self.text())

    def test_a_draft_is_kept_with_its_chat(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("half")
        self.press("meta down")
        self.assertEqual(self.asked(commands.SetDraft), [{"user": "bob", "text": "half"}])

    def test_scrolled_up_new_messages_are_counted_and_do_not_jump(self) -> None:
        self.agent.messages = [message(str(number), f"number {number}") for number in range(100)]
        self.start()
        self.press("meta a", "page up", "page up")
        before = self.text()
        self.agent.push(event="message", chat="bob", **message("new", "below"))
        self.clock.advance(0.1)
        self.assertIn("1 new ↓", self.text())
        self.assertNotIn("bob: below", self.text())
        shown = next(line for line in before.split("\n") if "number" in line)
        self.assertIn(shown, self.text())
        self.press("meta end")
        self.assertIn("bob: below", self.text())

    def test_without_a_session_one_logs_in_or_registers(self) -> None:
        self.agent.state = "none"
        self.start()
        self.assertIn("User name", self.text())
        self.enter_text("me")
        self.press("tab")
        self.enter_text("secret")
        self.assertNotIn("secret", self.text())
        self.press("tab", "tab")
        self.enter_text("secret")
        self.agent.state = "active"
        self.press("enter")
        self.assertEqual(self.asked(commands.Register)[0]["user"], "me")
        self.assertIn("RECOVERY-KEY-1234", self.text())
        self.press("enter")
        self.assertNotIn("RECOVERY-KEY-1234", self.text())
        self.assertIn("node 1a2b3c4d", self.text())

    def test_a_refused_registration_says_why(self) -> None:
        self.agent.state = "none"
        self.agent.failures[commands.Register] = NameTaken("The name me is taken. Choose another.")
        self.start()
        self.enter_text("me")
        self.press("tab", *"pw", "tab", "tab", *"pw", "enter")
        self.assertIn("The name me is taken", self.text())

    def test_help_lists_keys_and_commands_and_escape_closes_it(self) -> None:
        self.start()
        self.press("f1")
        self.assertIn("open a chat by name", self.text())
        self.press("esc")
        self.assertNotIn("open a chat by name", self.text())

    def test_commands_are_carried_out(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("/block")
        self.press("enter")
        self.assertEqual(self.asked(commands.Block), [{"user": "bob"}])
        self.assertIn("bob is blocked", self.text())
        self.enter_text("/why 12")
        self.press("enter")
        self.assertIn("5 of 5", self.text())
        self.enter_text("/nonsense")
        self.press("enter")
        self.assertIn("/nonsense is no command", self.text())
        self.enter_text("/quit")
        self.press("enter")
        self.assertEqual(self.left, [None])

    def test_digits_are_shown_as_a_code_too(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("/verify")
        self.press("enter")
        self.assertIn("▀", self.text())
        self.press("esc")
        self.assertIn("00001 00002", self.text())
        self.enter_text("/verify bob yes")
        self.press("enter")
        self.assertEqual(self.asked(commands.Verify)[-1], {"user": "bob", "matched": True})
        self.assertIn("bob counts as verified", self.text())

    def test_a_reason_of_the_agent_is_shown(self) -> None:
        self.start()
        self.press("meta a")
        self.agent.failures[commands.Send] = TryElsewhere("The disk is full. Make room.")
        self.enter_text("hi")
        self.press("enter")
        self.assertIn("The disk is full. Make room.", self.text())

    def test_an_agent_that_ends_is_said_and_comes_back(self) -> None:
        self.start()
        self.press("meta a")
        self.enter_text("typed")
        self.agent.end()
        self.clock.advance(0.1)
        self.assertIn("The agent has ended", self.text())
        self.agent.running = True
        self.clock.advance(2)
        self.clock.advance(0.1)
        self.assertIn("node 1a2b3c4d", self.text())
        self.assertEqual(len(self.asked(commands.Follow)), 2)
        self.assertIn("> typed", self.text())

    def test_a_narrow_terminal_shows_the_chat_alone(self) -> None:
        self.start()
        self.press("meta a")
        narrow = self.screen.loop.widget.render((40, 12), focus=True).decoded_text
        self.assertNotIn("carol", "\n".join(narrow))

    def test_ctrl_q_leaves(self) -> None:
        self.start()
        self.press("ctrl q")
        self.assertEqual(self.left, [None])
