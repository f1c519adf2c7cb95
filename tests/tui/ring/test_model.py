"""Snapshots of the ring become events, and one can look back."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.ring.model import MAX_SNAPSHOTS, Model, Snapshot, passed


def row(node: str, state: str = "ready", **more: Any) -> dict[str, Any]:
    """A row of `ring status`."""
    given: dict[str, Any] = {
        "node": node, "address": "127.0.0.1:1", "clients": "127.0.0.1:2", "state": state, "predecessor": None,
        "successors": [], "fingers": [], "users": 1, "backups": 2, "sessions": 0, "slots": 8,
        "members": {"least": 5, "wanted": 5}, "deficit": 0,
    }  # fmt: skip
    return given | more


def snapshot(*rows: dict[str, Any], at: str = "10:00:00") -> Snapshot:
    """A snapshot of these rows."""
    return Snapshot.of(rows, [], at)


class ModelTests(SynchronousTestCase):
    def test_the_first_snapshot_is_no_news(self) -> None:
        model = Model().seen(snapshot(row("0a000000")))
        self.assertEqual(model.events, ())
        self.assertEqual(model.selected, "0a000000")

    def test_what_changes_is_told(self) -> None:
        model = Model().seen(snapshot(row("0a000000"), row("0b000000")))
        model = model.seen(snapshot(row("0a000000", "dead", deficit=3), row("0c000000"), at="10:00:01"))
        self.assertEqual(
            [f"{each.at} {each.text}" for each in model.events],
            [
                "10:00:01 0a000000 is dead",
                "10:00:01 0b000000 is gone",
                "10:00:01 0c000000 joined",
                "10:00:01 3 copies missing, repair goes on",
            ],
        )

    def test_an_address_that_changes_is_told(self) -> None:
        model = Model().seen(snapshot(row("0a000000"))).seen(snapshot(row("0a000000", address="127.0.0.9:1")))
        self.assertEqual(
            [f"{each.at} {each.text}" for each in model.events], ["10:00:00 0a000000 moved to 127.0.0.9:1"]
        )

    def test_the_selection_goes_around(self) -> None:
        model = Model().seen(snapshot(row("0a000000"), row("0b000000")))
        self.assertEqual(model.stepped(1).selected, "0b000000")
        self.assertEqual(model.stepped(2).selected, "0a000000")
        self.assertEqual(model.stepped(-1).selected, "0b000000")

    def test_who_looks_back_stays_at_that_moment(self) -> None:
        model = Model().seen(snapshot(at="1")).seen(snapshot(at="2")).looked(1)
        self.assertEqual(model.shown.at, "1")
        self.assertEqual(model.seen(snapshot(at="3")).shown.at, "1")
        self.assertEqual(model.looked(9).shown.at, "1")
        self.assertEqual(model.looked(-9).shown.at, "2")

    def test_lookups_pass_once_and_those_of_before_are_not_shown(self) -> None:
        def rows(*numbers: int) -> list[dict[str, Any]]:
            lookups = [{"number": number, "hops": ["0b000000"], "owner": "0c000000"} for number in numbers]
            return [row("0a000000", lookups=lookups), row("0b000000"), row("0c000000")]

        way = ("0a000000", "0b000000", "0c000000")
        model = Model()
        for numbers, ways in (
            ((1, 2), ()),
            ((1, 2), ()),
            ((1, 2, 3, 4), (way,)),
            ((1, 2, 3, 4), ()),
            ((1,), (way,)),  # the node began anew
        ):
            model = model.looked_at(rows(*numbers), [], "10:00:00")
            self.assertEqual(model.shown.ways, ways)
        self.assertEqual([each.text for each in model.events], ["lookup 0a000000 → 0b000000 → 0c000000"] * 2)

    def test_a_node_that_knows_by_itself_draws_nothing(self) -> None:
        numbers = {"0a000000": 1}
        lookups = [{"number": 2, "hops": [], "owner": "0a000000"}]
        self.assertEqual(passed([row("0a000000", lookups=lookups)], numbers), ([], {"0a000000": 2}))

    def test_history_is_bounded(self) -> None:
        model = Model()
        for _ in range(MAX_SNAPSHOTS + 5):
            model = model.seen(snapshot())
        self.assertEqual(len(model.snapshots), MAX_SNAPSHOTS)
