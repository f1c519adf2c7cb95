"""The ring screen on a virtual terminal."""

from collections.abc import Sequence

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from urwid.testing import ScriptedScreen

from p2pchat.errors import NoNodeReachable
from p2pchat.tui.ring.controller import Controller
from p2pchat.tui.ring.model import Row
from p2pchat.tui.screen import Screen
from tests.tui.ring.test_model import row

SIZE = (80, 24)


class ScreenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.rows: list[Row] = [row("0a000000"), row("b0000000")]
        self.failing = False
        self.left: list[bool] = []
        self.screen = Screen(self.clock, ScriptedScreen(size=SIZE), "none")
        self.controller = Controller(self.screen, self.look, self.find, self.clock, lambda: self.left.append(True))
        self.controller.start()
        self.addCleanup(self.controller.stop)
        self.clock.advance(0.1)

    async def look(self) -> tuple[Sequence[Row], Sequence[Row]]:
        if self.failing:
            raise NoNodeReachable("No node runs here.")
        return list(self.rows), [{"user": "alice", "owner": "0a000000"}]

    async def find(self, target: str) -> Row:
        if target == "nobody":
            raise NoNodeReachable("No node knows.")
        return {
            "target": target, "identifier": "b1" + "0" * 62, "hops": [{"node": "b0000000", "milliseconds": 1.0}],
            "slot": 377, "epoch": "3", "members": ["0a000000", "b0000000"], "owner": "0a000000", "copies": 2,
        }  # fmt: skip

    def press(self, *keys: str) -> None:
        for key in keys:
            self.screen.loop.widget.keypress(SIZE, key)
            self.clock.advance(0.1)

    def text(self) -> str:
        return "\n".join(self.screen.loop.widget.render(SIZE, focus=True).decoded_text)

    def test_circle_details_and_users_are_shown(self) -> None:
        for part in ("● 0a000000", "b0000000 ●", "node 0a000000", "alice", "2 of 2 nodes"):
            self.assertIn(part, self.text())

    def test_keys_select_the_next_node(self) -> None:
        self.press("right")
        self.assertIn("node b0000000", self.text())
        self.press("left")
        self.assertIn("node 0a000000", self.text())

    def test_a_death_is_told_within_a_second(self) -> None:
        self.rows[1] = row("b0000000", "dead")
        self.clock.advance(1.0)
        self.assertIn("b0000000 is dead", self.text())
        self.assertIn("1 of 2 nodes", self.text())
        self.press("[")
        self.assertIn("1 steps back", self.text())
        self.assertIn("2 of 2 nodes", self.text())
        self.press("end")
        self.assertIn("1 of 2 nodes", self.text())

    def test_a_node_that_is_gone_is_said_and_found_again(self) -> None:
        self.failing = True
        self.clock.advance(1.0)
        self.assertIn("No node runs here.", self.text())
        self.failing = False
        self.clock.advance(1.0)
        self.assertNotIn("No node runs here.", self.text())

    def test_a_user_s_slot_is_found_and_drawn_until_escape(self) -> None:
        self.press("/", *"alice", "enter")
        for part in ("◆ alice", "slot 377, epoch 3", "0a000000 owner", "b0000000 copy", "hops: b0000000"):
            self.assertIn(part, self.text())
        self.press("esc")
        self.assertNotIn("◆", self.text())

    def test_a_search_in_vain_says_why(self) -> None:
        self.press("/", *"nobody", "enter")
        self.assertIn("No node knows.", self.text())
        self.press("/", "enter")
        self.assertIn("node 0a000000", self.text())

    def test_history_is_gone_through_by_steps_and_leaps(self) -> None:
        for _ in range(40):
            self.clock.advance(1.0)
        self.press("{")
        self.assertIn("30 steps back", self.text())
        self.press("home")
        self.assertIn("40 steps back", self.text())
        self.press("}", "]")
        self.assertIn("9 steps back", self.text())

    def test_the_details_scroll(self) -> None:
        self.rows[0] = row("0a000000", fingers=[f"b{number:07}" for number in range(80)])
        self.clock.advance(1.0)
        self.assertIn("state ● ready", self.text())
        self.press("page down", "page down")
        self.assertNotIn("state ● ready", self.text())
        self.press("page up", "page up")
        self.assertIn("state ● ready", self.text())

    def test_help_and_leaving(self) -> None:
        self.press("?")
        self.assertIn("step back in time", self.text())
        self.press("esc", "q")
        self.assertEqual(self.left, [True])
