"""What is typed after a slash is understood, and what is no command is sent as it stands."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.tui.chat.commands import COMMANDS, completions, help_lines, parse, text_of
from p2pchat.tui.chat.emoji import Emoji


class ParseTests(SynchronousTestCase):
    def test_a_text_is_no_command(self) -> None:
        self.assertIsNone(parse("hello /quit"))

    def test_blanks_before_the_slash_do_not_make_it_a_text(self) -> None:
        found, rest = parse("  /add alice ") or (None, "")
        assert found is not None
        self.assertEqual((found.names[0], rest), ("add", "alice"))

    def test_other_names_mean_the_same(self) -> None:
        found, _ = parse("/accept") or (None, "")
        assert found is not None
        self.assertEqual(found.names[0], "add")

    def test_an_unknown_command_is_told_apart(self) -> None:
        self.assertEqual(parse("/nonsense x"), (None, "nonsense"))

    def test_two_slashes_begin_a_text_with_one(self) -> None:
        self.assertIsNone(parse("//bin/true"))
        self.assertEqual(text_of("//bin/true"), "/bin/true")
        self.assertEqual(text_of(" as it stands "), " as it stands ")

    def test_no_name_is_used_twice_and_the_help_has_all(self) -> None:
        names = [name for each in COMMANDS for name in each.names]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(len(help_lines()), len(COMMANDS))

    def test_tab_completes_commands_and_names(self) -> None:
        self.assertEqual(completions("/ver", [], Emoji().named), ["/verify "])
        self.assertEqual(completions("/add al", ["alice", "bob"], Emoji().named), ["/add alice "])
        self.assertEqual(completions("", ["alice"], Emoji().named), [])

    def test_tab_completes_emoji_by_short_and_by_unicode_names(self) -> None:
        self.assertEqual(completions("yes :+1", [], Emoji().named), ["yes 👍 "])
        self.assertIn("look: 🐈 ", completions("look: :cat", [], Emoji().named))
        self.assertEqual(completions("at 10:", [], Emoji().named), [])

    def test_the_help_of_one_command(self) -> None:
        self.assertEqual(len(help_lines("why")), 1)
        self.assertEqual(help_lines("nonsense"), [])
