"""The command as a whole: exit statuses, reasons on one line, the authority's commands, completion."""

import contextlib
import io
import json
import os
import stat
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.cli import account, main, show
from p2pchat.crypto.admission import ADMISSION_FILE


class CommandTests(SynchronousTestCase):
    """Runs commands in this process."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        for name in list(os.environ):
            if name.startswith("P2PCHAT_"):
                self.patch(os, "environ", {k: v for k, v in os.environ.items() if not k.startswith("P2PCHAT_")})

    def command(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of a command."""
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                status = main.main(words)
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else 1
        return status, output.getvalue(), errors.getvalue()

    def create(self, *words: str) -> Path:
        """A ring authority."""
        folder = self.folder / "authority"
        status, _, errors = self.command("ring", "create", str(folder), *words)
        self.assertEqual((status, errors), (0, ""))
        return folder


class RingTests(CommandTests):
    """Authority and admission."""

    def test_create_prints_ring_and_authority(self) -> None:
        folder = self.folder / "authority"
        status, output, _ = self.command("ring", "create", str(folder), "--json")
        row = json.loads(output)
        self.assertEqual((status, set(row), row["authority"]), (0, {"ring", "authority"}, str(folder.absolute())))
        self.assertRegex(row["ring"], "^[0-9a-f]{8}$")
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)

    def test_create_leaves_a_folder_with_something_in_it_alone(self) -> None:
        folder = self.create()
        before = sorted(folder.rglob("*"))
        status, _, errors = self.command("ring", "create", str(folder))
        self.assertEqual((status, errors.count("\n")), (1, 1))
        self.assertEqual(sorted(folder.rglob("*")), before)

    def test_admit_writes_the_admission_of_a_node(self) -> None:
        authority, data = self.create(), self.folder / "node"
        words = ("ring", "admit", "--authority", str(authority), "--data", str(data), "--json")
        status, output, _ = self.command(*words)
        row = json.loads(output)
        self.assertEqual((status, row["certificate"]), (0, str(data.absolute() / ADMISSION_FILE)))
        self.assertRegex(row["node"], "^[0-9a-f]{8}$")
        self.assertEqual(stat.S_IMODE((data / ADMISSION_FILE).stat().st_mode), 0o600)

    def test_admit_never_overwrites(self) -> None:
        authority, data = self.create(), self.folder / "node"
        words = ("ring", "admit", "--authority", str(authority), "--data", str(data))
        self.command(*words)
        before = (data / ADMISSION_FILE).read_bytes()
        status, _, errors = self.command(*words)
        self.assertEqual((status, errors.count("\n")), (1, 1))
        self.assertEqual((data / ADMISSION_FILE).read_bytes(), before)

    def test_admit_without_an_authority_is_not_admitted(self) -> None:
        status, _, errors = self.command(
            "ring", "admit", "--authority", str(self.folder), "--data", str(self.folder / "n")
        )
        self.assertEqual((status, errors.count("\n")), (3, 1))

    def test_admit_an_operator(self) -> None:
        authority, file = self.create(), self.folder / "operator.pem"
        status, _, _ = self.command("ring", "admit", "--authority", str(authority), "--operator", "--out", str(file))
        self.assertEqual((status, stat.S_IMODE(file.stat().st_mode)), (0, 0o600))

    def test_admit_wants_one_place(self) -> None:
        authority = self.create()
        for words in ((), ("--data", "a", "--out", "b"), ("--operator", "--data", "a")):
            self.assertEqual(self.command("ring", "admit", "--authority", str(authority), *words)[0], 2)

    def test_evict_signs_a_list(self) -> None:
        authority = self.create()
        words = ("--authority", str(authority), "--json")
        node = json.loads(self.command("ring", "admit", *words, "--out", str(self.folder / "n.pem"))[1])["node"]
        status, output, _ = self.command("ring", "evict", *words, node)
        self.assertEqual((status, json.loads(output)["evictions"]), (0, 1))
        self.assertEqual(self.command("ring", "evict", *words, "00000000")[0], 1)


class OtherTests(CommandTests):
    """Around the commands."""

    def test_a_command_is_needed_without_a_terminal(self) -> None:
        self.patch(sys, "stdin", io.StringIO())
        self.assertEqual(self.command()[0], 2)

    def test_completion_for_both_shells(self) -> None:
        for shell in ("bash", "zsh"):
            status, output, _ = self.command("--print-completion", shell)
            self.assertEqual(status, 0)
            self.assertIn("register", output)

    def test_passwords_need_a_terminal_or_a_file(self) -> None:
        self.patch(sys, "stdin", io.StringIO("secret\n"))
        error = self.assertRaises(show.UsageError, account.new_password, None)
        self.assertIn("--password-file", str(error))

    def test_only_the_first_line_of_a_password_file_counts(self) -> None:
        file = self.folder / "password"
        file.write_bytes("pässword \r\nsecond\n".encode())
        self.assertEqual(account.one_password(str(file), ""), "pässword ")
        for content in (b"", b"\nsecond\n", b"\xff\n"):
            file.write_bytes(content)
            self.assertRaises(show.UsageError, account.one_password, str(file), "")
        self.assertRaises(show.UsageError, account.one_password, str(self.folder / "none"), "")
