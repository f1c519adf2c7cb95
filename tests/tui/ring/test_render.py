"""The circle shows each node where it is, and names what the selected one points to."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.ring import render
from p2pchat.tui.ring.circle import circle
from p2pchat.tui.ring.model import Model, Snapshot
from tests.tui.chat.test_render import plain
from tests.tui.ring.test_model import row

ROWS = [
    row("00000000", predecessor="c0000000", successors=["40000000", "80000000", "c0000000"], fingers=["80000000"]),
    row("40000000"),
    row("80000000", "dead"),
    row("c0000000", "suspected"),
]
USERS = [{"user": "alice", "owner": "00000000"}, {"user": "b\x1bob", "owner": "40000000"}]
MODEL = Model().seen(Snapshot.of(ROWS, USERS, "10:00:00"))


class CircleTests(SynchronousTestCase):
    def lines(self, columns: int = 60, rows: int = 20) -> list[str]:
        return [plain(line) for line in circle(MODEL, columns, rows)]

    def test_it_fills_the_given_size_exactly(self) -> None:
        for columns, rows in ((60, 20), (120, 45), (20, 5), (3, 1)):
            lines = self.lines(columns, rows)
            self.assertEqual(len(lines), rows)
            self.assertEqual({len(line) for line in lines}, {columns})

    def test_a_quarter_further_is_a_quarter_clockwise(self) -> None:
        lines = self.lines()
        where = {name: next(at for at, line in enumerate(lines) if name in line) for name in ("00000000", "80000000")}
        self.assertLess(where["00000000"], 3)
        self.assertGreater(where["80000000"], 16)
        right, left = (next(line.index(name) for line in lines if name in line) for name in ("40000000", "c0000000"))
        self.assertGreater(right, 30)
        self.assertLess(left, 10)

    def test_states_have_signs_and_pointers_have_names(self) -> None:
        text = "\n".join(self.lines())
        self.assertIn("● 40000000 s1", text)
        self.assertIn("s2", text)
        self.assertIn("c0000000 p s3◐", text)
        self.assertIn("2 of 4 nodes", text)

    def test_many_nodes_do_not_bury_the_circle_in_names(self) -> None:
        many = Model().seen(Snapshot.of([row(f"{number:04x}0000") for number in range(0, 65536, 512)], [], "1"))
        text = "\n".join(plain(line) for line in circle(many, 80, 30))
        self.assertEqual(text.count("0000"), 4)
        self.assertEqual(text.count("00000000 owns"), 1)


class SideTests(SynchronousTestCase):
    def test_the_selected_node_is_described(self) -> None:
        text = "\n".join(plain(line) for line in render.details(MODEL))
        for part in ("node 00000000", "predecessor c0000000", "successors 40000000 80000000", "users 1", "backups 2"):
            self.assertIn(part, text)
        self.assertIn("alice", text)
        self.assertIn("bob → 40000000", text)

    def test_the_bar_says_when_and_what_is_wrong(self) -> None:
        self.assertIn("10:00:00 now", plain(render.bar(MODEL)))
        self.assertIn("all copies there", plain(render.bar(MODEL)))

    def test_a_ring_that_tolerates_no_loss_says_so(self) -> None:
        small = [row(name, members={"least": 1, "wanted": 1}) for name in ("00000000", "80000000")]
        model = Model().seen(Snapshot.of(small, [], "10:00:00"))
        self.assertIn("no fault tolerance", plain(render.bar(model)))

    def test_a_lookup_is_drawn_in_the_moment_in_which_it_passes(self) -> None:
        def dots(model: Model) -> int:
            drawn = [part for line in circle(model, 60, 20) for part in line if part[0] == "lookup"]
            return sum(len(text) for _, text in drawn)

        def rows(number: int) -> list[dict[str, object]]:
            passing = [{"number": number, "hops": [ROWS[2]["node"]], "owner": ROWS[1]["node"]}]
            return [{**ROWS[0], "lookups": passing}, *ROWS[1:]]

        model = Model().looked_at(rows(1), USERS, "10:00:00")
        self.assertEqual(dots(model), 0)
        model = model.looked_at(rows(2), USERS, "10:00:01")
        self.assertGreater(dots(model), 20)
        self.assertEqual(plain(render.slider(model, 40)).count("┿"), 0)
        model = model.looked_at(rows(2), USERS, "10:00:02")
        self.assertEqual(dots(model), 0)
        self.assertGreater(dots(model.looked(1)), 20)

    def test_the_history_shows_where_one_looks_and_when_something_happened(self) -> None:
        model = MODEL
        for second in range(1, 10):
            rows = ROWS if second < 5 else ROWS[:3]
            model = model.seen(Snapshot.of(rows, USERS, f"10:00:0{second}"))
        line = plain(render.slider(model.looked(9), 40))
        self.assertEqual(len(line), 40)
        self.assertTrue(line.startswith("10:00:00 ●"))
        self.assertTrue(line.endswith(" 10:00:09"))
        self.assertEqual(line.count("┿"), 1)
        self.assertIn("c0000000 is gone", plain(render.events(model, 5)))
        self.assertNotIn("c0000000 is gone", plain(render.events(model.looked(9), 5)))

    def test_names_of_others_cannot_steer_the_terminal(self) -> None:
        rows = [row("00000000", address="\x1b[2J" + "x" * 500, state="\x1b]0;x\x07")]
        model = Model().seen(Snapshot.of(rows, [{"user": "e\x1b[5me", "owner": "\x1b"}], "1"))
        text = "".join(plain(line) for line in (*render.details(model), *circle(model, 60, 20), render.bar(model)))
        self.assertNotIn("\x1b", text)


class LargeTests(SynchronousTestCase):
    def test_two_hundred_nodes_fit_at_both_sizes(self) -> None:
        names = [f"{(number * 21474836) % 2**32:08x}" for number in range(200)]
        rows = [
            row(name, successors=names[place + 1 : place + 17], fingers=names[place::40], predecessor=names[place - 1])
            for place, name in enumerate(names)
        ]
        model = Model(fingers_drawn=True).seen(Snapshot.of(rows, [], "1")).stepped(3)
        for columns, height in ((52, 17), (116, 43)):
            lines = [plain(line) for line in circle(model, columns, height)]
            self.assertEqual({len(line) for line in lines}, {columns})
            self.assertIn("200 of 200 nodes", "\n".join(lines))
            self.assertGreater(sum(line.count("●") for line in lines), 30)
