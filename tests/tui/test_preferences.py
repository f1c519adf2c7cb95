"""screen.toml is taken as it is meant, or refused with what to change."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import UserError
from p2pchat.tui import keys
from p2pchat.tui.preferences import FILE_NAME, MAX_FILE_BYTES, Preferences, load


class PreferencesTests(SynchronousTestCase):
    def load(self, text: str) -> Preferences:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / FILE_NAME).write_text(text)
        return load(folder)

    def test_without_a_file_the_defaults_hold(self) -> None:
        self.assertEqual(load(Path(self.mktemp())), Preferences())

    def test_theme_notifications_and_keys(self) -> None:
        wishes = self.load("theme = 'light'\nnotify = 'none'\n[keys]\nswitch = 'Alt-x'\nundo = []\n")
        self.assertEqual((wishes.theme, wishes.notify), ("light", "none"))
        self.assertEqual(keys.action_of(wishes.chat_keys, "meta x"), "switch")
        self.assertIsNone(keys.action_of(wishes.compose_keys, "ctrl z"))

    def test_programs_and_switches(self) -> None:
        wishes = self.load(
            "hook = ['say', 'from {from}']\nopener = ['see']\neditor = ['ed']\nmouse = true\nkeep-inputs = false\n"
            "notify-by = '777'\n"
        )
        self.assertEqual((wishes.hook, wishes.opener, wishes.editor), (("say", "from {from}"), ("see",), ("ed",)))
        self.assertEqual((wishes.mouse, wishes.keep_inputs, wishes.notify_by), (True, False, "777"))

    def test_mistakes_say_what_may_stand_there(self) -> None:
        for text, said in (
            ("theme = 'pink'", "dark, light"),
            ("colour = 1", "no setting 'colour'"),
            ("notify = 3", "none, bell"),
            ("keys = 3", "is a table"),
            ("[keys]\nswitch = 3", "a key such as"),
            ("[keys]\nfly = 'x'", "no action 'fly'"),
            ("[keys]\nundo = 'ctrl k'", "means both"),
            ("[ring-keys]\nquit = 'n'", "means both"),
            ("[keys]\nundo = 'x'", "needed for typing"),
            ("hook = 'notify-send'", "a list of words"),
            ("hook = ['']", "begins with the program"),
            ("hook = ['say', '{text}']", "taken for an option"),
            ("hook = ['/bin/sh', '-c', 'say it: {text}']", "others could write commands"),
            ("hook = ['env', 'bash', '-lc', 'say it: {from}']", "others could write commands"),
            ("mouse = 1", "true or false"),
            ("notify-by = '99'", "auto, 9, 777"),
            ("theme = ", FILE_NAME),
            ("#" * (MAX_FILE_BYTES + 1), "longer than"),
        ):
            with self.assertRaisesRegex(UserError, said):
                self.load(text)
