"""The hook, the opener and the editor: words without a shell, few at once, for a short time."""

import stat
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import UserError
from p2pchat.tui.programs import HOOK_SECONDS, MAX_EDITED_BYTES, MAX_RUNNING, TERMINAL, Programs, checked_hook


class Started:
    """A process that a test ends."""

    def __init__(self, protocol: Any, words: list[str], descriptors: dict[int, int]) -> None:
        self.protocol, self.words, self.descriptors = protocol, words, descriptors
        self.killed = False

    def signalProcess(self, name: str) -> None:
        self.killed = name == "KILL"

    def end(self, status: int = 0) -> None:
        self.protocol.processEnded(Failure(ProcessTerminated(status) if status else ProcessDone(0)))


class Desk:
    """Starts nothing, and remembers what should have been started."""

    def __init__(self) -> None:
        self.started: list[Started] = []

    def spawn(self, protocol: Any, executable: str, words: list[str], env: dict[str, str], childFDs: Any) -> Started:
        assert executable == words[0]
        assert env is not None
        self.started.append(Started(protocol, words, childFDs))
        return self.started[-1]


class ProgramCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.desk, self.clock = Desk(), Clock()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def programs(self, environment: dict[str, str] | None = None, **options: Any) -> Programs:
        return Programs(self.desk.spawn, self.clock, self.folder, environment or {}, **options)


class HookTests(ProgramCase):
    def test_words_are_filled_in_and_no_shell_sees_them(self) -> None:
        programs = self.programs(hook=["say", "from {from} in {chat}", "{{id}}", "$HOME; rm"])
        programs.message("bob {text}", "bob", "a1", "secret")
        (started,) = self.desk.started
        self.assertEqual(started.words, ["say", "from bob {text} in bob", "{a1}", "$HOME; rm"])
        self.assertNotIn("secret", " ".join(started.words))
        self.assertEqual(set(started.descriptors), {0, 1, 2})
        self.assertNotIn(1, started.descriptors.values())

    def test_the_text_goes_along_where_it_is_asked_for_harmless_and_cut(self) -> None:
        self.programs(hook=["say", "it says {text}"]).message("bob", "bob", "a1", "a\x00\x1b[2Jb" + "x" * 5000)
        (started,) = self.desk.started
        self.assertTrue(started.words[1].startswith("it says a[2Jbxxx"))
        self.assertEqual(len(started.words[1]), 1000)

    def test_a_script_may_have_words_of_others_behind_it(self) -> None:
        words = ("sh", "-c", 'say "$1"', "hook", "from {from}")
        self.assertEqual(checked_hook(words), words)

    def test_few_run_at_once_and_none_for_long(self) -> None:
        programs = self.programs(hook=["say"])
        for _ in range(MAX_RUNNING + 3):
            programs.message("bob", "bob", "a1", "hi")
        self.assertEqual(len(self.desk.started), MAX_RUNNING)
        self.desk.started[0].end()
        programs.message("bob", "bob", "a1", "hi")
        self.assertEqual(len(self.desk.started), MAX_RUNNING + 1)
        self.clock.advance(HOOK_SECONDS)
        self.assertEqual([each.killed for each in self.desk.started], [False] + [True] * MAX_RUNNING)

    def test_one_that_fails_is_told_and_one_that_is_off_does_not_run(self) -> None:
        programs, failed = self.programs(hook=["say"]), list[int]()
        programs.hook_failed = failed.append
        programs.message("bob", "bob", "a1", "hi")
        self.desk.started[0].end(3)
        self.assertEqual(failed, [3])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        programs.hook_runs = False
        programs.message("bob", "bob", "a1", "hi")
        self.assertEqual(len(self.desk.started), 1)


class OpenerTests(ProgramCase):
    def test_a_link_is_the_last_word(self) -> None:
        self.assertTrue(self.programs(opener=["see", "-n"]).open("https://a.example/"))
        self.assertEqual(self.desk.started[0].words, ["see", "-n", "https://a.example/"])

    def test_without_one_nothing_is_started(self) -> None:
        self.assertFalse(self.programs().open("https://a.example/"))
        self.assertEqual(self.desk.started, [])


class EditorTests(ProgramCase):
    def edit(self, text: str = "half typed") -> tuple[Deferred[str], Path]:
        edited = Deferred.fromCoroutine(self.programs({"EDITOR": "ed -s"}).edited(text))
        return edited, Path(self.desk.started[-1].words[-1])

    def test_the_text_comes_back_and_nothing_is_left(self) -> None:
        edited, path = self.edit()
        self.assertEqual(self.desk.started[0].words[:2], ["ed", "-s"])
        self.assertEqual(self.desk.started[0].descriptors, TERMINAL)
        self.assertEqual(path.read_text(), "half typed")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o700)
        path.write_text("two\nlines\n")
        (path.parent / "message.txt~").write_text("a backup")
        self.desk.started[0].end()
        self.assertEqual(self.successResultOf(edited), "two\nlines")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_what_fails_changes_nothing_and_leaves_nothing(self) -> None:
        edited, path = self.edit()
        self.desk.started[-1].end(1)
        self.assertIn("status 1", str(self.failureResultOf(edited, UserError).value))
        for change in (lambda path: path.unlink(), lambda path: path.write_text("x" * (MAX_EDITED_BYTES + 1))):
            edited, path = self.edit()
            change(path)
            self.desk.started[-1].end()
            self.assertIn("as it was", str(self.failureResultOf(edited, UserError).value))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_which_one(self) -> None:
        self.assertEqual(self.programs({"VISUAL": "code -w", "EDITOR": "ed"}).editor(), ("code", "-w"))
        self.assertEqual(self.programs({"EDITOR": "ed"}, editor=["emacs"]).editor(), ("emacs",))
        nowhere = {"PATH": str(self.folder)}
        self.assertIn("no editor", str(self.assertRaises(UserError, self.programs(nowhere).editor)))
        self.assertIn("no command", str(self.assertRaises(UserError, self.programs({"EDITOR": "'"}).editor)))
        (self.folder / "vi").symlink_to(sys.executable)
        self.assertEqual(self.programs(nowhere).editor(), ("vi",))
