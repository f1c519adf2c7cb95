"""Key bindings have no conflicts, and the help names them all."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import UserError
from p2pchat.tui import keys


class BindingTests(SynchronousTestCase):
    def test_no_key_means_two_things(self) -> None:
        for table in ((*keys.CHAT, *keys.COMPOSE), keys.RING):
            bound = [key for each in table for key in each.keys]
            self.assertEqual(len(bound), len(set(bound)))

    def test_the_contract_s_keys(self) -> None:
        self.assertEqual(keys.action_of(keys.CHAT, "ctrl k"), "switch")
        self.assertEqual(keys.action_of(keys.CHAT, "f1"), "help")
        self.assertEqual(keys.action_of(keys.CHAT, "ctrl q"), "quit")
        self.assertIsNone(keys.action_of(keys.CHAT, "x"))

    def test_other_keys_replace_the_usual_ones(self) -> None:
        chat, compose = keys.rebound((keys.CHAT, keys.COMPOSE), {"switch": ("f9",), "undo": ()})
        self.assertEqual(keys.action_of(chat, "f9"), "switch")
        self.assertIsNone(keys.action_of(chat, "ctrl k"))
        self.assertIsNone(keys.action_of(compose, "ctrl z"))

    def test_keys_are_named_as_people_or_as_urwid_write_them(self) -> None:
        for text, key in (
            ("Ctrl-k", "ctrl k"),
            ("alt-Down", "meta down"),
            ("Alt-R", "meta R"),
            ("F5", "f5"),
            ("PageUp", "page up"),
            ("ctrl k", "ctrl k"),
            ("Alt--", "meta -"),
            ("-", "-"),
        ):
            self.assertEqual(keys.named(text), key)
        self.assertRaises(UserError, keys.named, " ")

    def test_what_one_types_with_is_no_key_beside_a_line(self) -> None:
        with self.assertRaisesRegex(UserError, "needed for typing"):
            keys.rebound((keys.CHAT, keys.COMPOSE), {"undo": ("u",)})
        self.assertEqual(keys.action_of(keys.rebound((keys.RING,), {"quit": ("x",)})[0], "x"), "quit")

    def test_a_key_with_two_meanings_is_refused_over_both_tables(self) -> None:
        with self.assertRaisesRegex(UserError, "Ctrl-k means both"):
            keys.rebound((keys.CHAT, keys.COMPOSE), {"undo": ("ctrl k",)})

    def test_an_action_that_there_is_none_of_is_refused(self) -> None:
        with self.assertRaisesRegex(UserError, "no action 'fly'"):
            keys.rebound((keys.CHAT,), {"fly": ("x",)})

    def test_the_help_names_keys_as_people_write_them(self) -> None:
        lines = keys.help_lines(keys.CHAT)
        self.assertEqual(len(lines), len(keys.CHAT))
        self.assertTrue(any(line.startswith("Ctrl-k") for line in lines))
        self.assertTrue(any(line.startswith("Alt-Down, Ctrl-n") for line in lines))
