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
        self.controller = Controller(self.screen, self.look, self.clock, lambda: self.left.append(True))
        self.controller.start()
        self.addCleanup(self.controller.stop)
        self.clock.advance(0.1)

    async def look(self) -> tuple[Sequence[Row], Sequence[Row]]:
        if self.failing:
            raise NoNodeReachable("No node runs here.")
        return list(self.rows), [{"user": "alice", "owner": "0a000000"}]

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

    def test_help_and_leaving(self) -> None:
        self.press("?")
        self.assertIn("step back in time", self.text())
        self.press("esc", "q")
        self.assertEqual(self.left, [True])
