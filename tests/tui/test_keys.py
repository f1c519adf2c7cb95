"""Key bindings have no conflicts, and the help names them all."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui import keys


class BindingTests(SynchronousTestCase):
    def test_no_key_means_two_things(self) -> None:
        for table in (keys.CHAT, keys.RING):
            bound = [key for each in table for key in each.keys]
            self.assertEqual(len(bound), len(set(bound)))

    def test_the_contract_s_keys(self) -> None:
        self.assertEqual(keys.action_of(keys.CHAT, "ctrl k"), "switch")
        self.assertEqual(keys.action_of(keys.CHAT, "f1"), "help")
        self.assertEqual(keys.action_of(keys.CHAT, "ctrl q"), "quit")
        self.assertIsNone(keys.action_of(keys.CHAT, "x"))

    def test_the_help_names_keys_as_people_write_them(self) -> None:
        lines = keys.help_lines(keys.CHAT)
        self.assertEqual(len(lines), len(keys.CHAT))
        self.assertTrue(any(line.startswith("Ctrl-k") for line in lines))
        self.assertTrue(any(line.startswith("Alt-Down, Ctrl-n") for line in lines))
