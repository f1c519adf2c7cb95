"""config show and check: origins, the line of each mistake, files that come back as they were, and no secrets."""

import json
import os

from p2pchat.cli.arguments import build_parser
from p2pchat.cli.config import every_setting
from p2pchat.settings import COMMAND_LINE, CONFIG, SERVER, examine, resolve
from tests.cli.test_arguments import parsers_of
from tests.cli.test_main import CommandTests


class ConfigTests(CommandTests):
    """Both commands, as they are typed."""

    def file(self, text: str) -> str:
        path = self.folder / "p2pchat.toml"
        path.write_text(text)
        return str(path.absolute())

    def test_each_value_says_where_it_comes_from(self) -> None:
        path = self.file("# our ring\nreplicas = 2\n\nslots = 16\nrepair-after = 3\n")
        self.patch(os, "environ", {**os.environ, "P2PCHAT_SLOTS": "32", "P2PCHAT_REPAIR_AFTER": "4"})
        words = ("config", "show", "server", "--config", path, "--repair-after", "5")
        status, output, errors = self.command(*words, "--json")
        self.assertEqual((status, errors), (0, ""))
        rows = {row["option"]: row for row in map(json.loads, output.splitlines())}
        self.assertEqual(set(rows), {each.name for each in SERVER})
        found = {name: (rows[name]["value"], rows[name]["origin"]) for name in ("replicas", "slots", "repair-after")}
        expected = {
            "replicas": (2, f"{path}, line 2"),
            "slots": (32, "P2PCHAT_SLOTS"),
            "repair-after": (5.0, "--repair-after"),
        }
        self.assertEqual(found, expected)
        self.assertEqual(rows["ring"]["origin"], "default")
        shown = self.command(*words, "--origin")[1]
        self.assertRegex(shown, r"(?m)^replicas +2 +.*p2pchat\.toml, line 2$")

    def test_what_show_prints_is_a_file_with_the_same_options(self) -> None:
        status, output, _ = self.command(
            "config", "show", "server", "--join", "[::1]:7", "--no-multicast", "--slots", "8"
        )
        self.assertEqual(status, 0)
        again = resolve(SERVER, {"config": self.file(output)}, {})
        flags = {"join": ["[::1]:7"], "no-multicast": True, "slots": "8"}
        expected = resolve(SERVER, flags, {})
        self.assertEqual({**again, "config": None}, expected)

    def test_check_names_every_mistake_with_its_line_and_ends_with_status_2(self) -> None:
        path = self.file('replicas = 3\nrng = "x"\n\n[node]\nslots = 4\n')
        self.patch(os, "environ", {**os.environ, "P2PCHAT_REPAIR_AFTER": "soon"})
        status, output, errors = self.command("config", "check", "--config", path, "--ring", "nowhere")
        self.assertEqual((status, output), (2, ""))
        lines = errors.splitlines()
        self.assertEqual(len(lines), 5, errors)
        for words in (
            f"{path}, line 2: no option is called 'rng'; ring?",
            f"{path}, line 4: no option is called 'node'",
            f"replicas in {path}, line 1: replicas must be 0, 2, 4 or 6, not 3.",
            "--ring: ",
            "P2PCHAT_REPAIR_AFTER: 'soon' is no number of seconds.",
        ):
            self.assertEqual(len([line for line in lines if words in line]), 1, words)

    def test_check_reads_what_is_no_toml(self) -> None:
        status, _, errors = self.command("config", "check", "--config", self.file("replicas = 2\nslots = = 3\n"))
        self.assertEqual(status, 2)
        self.assertIn("line 2", errors)
        status, _, errors = self.command("config", "check", "--config", "/nowhere/at/all")
        self.assertEqual((status, errors.count("\n")), (2, 1))

    def test_check_sees_contradictions_and_what_does_not_exist(self) -> None:
        path = self.file('ring = "192.0.2.1:7402"\nauthority = "/nowhere/authority"\n')
        status, _, errors = self.command("config", "check", "--config", path, "--clients", "192.0.2.1:7402")
        self.assertEqual((status, errors.count("\n")), (2, 2))
        self.assertIn(f"ring ({path}, line 1) and clients (--clients) are both 192.0.2.1:7402", errors)
        self.assertIn(f"authority ({path}, line 2): /nowhere/authority does not exist", errors)

    def test_a_good_file_is_called_good(self) -> None:
        path = self.file("replicas = 2\nlimit = 5\n")
        status, output, errors = self.command("config", "check", "--config", path)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("no mistake; 2 options are given", output)

    def test_a_variable_that_is_none_of_ours_is_pointed_out(self) -> None:
        self.patch(os, "environ", {**os.environ, "P2PCHAT_REPLICS": "2"})
        status, _, errors = self.command("config", "check")
        self.assertEqual(status, 0)
        self.assertIn("P2PCHAT_REPLICS: no option has this variable; P2PCHAT_REPLICAS?", errors)

    def test_no_option_holds_a_secret_itself(self) -> None:
        secret = ("password", "key", "secret", "token")
        found = {
            setting.name: setting
            for parser in parsers_of(build_parser())
            for setting in (*parser.settings, *every_setting())
            if any(word in setting.name for word in secret) and setting.name != "ask-password"
        }
        self.assertEqual({name for name in found if not name.endswith("-file")}, set())
        self.assertIn("password-file", found)

    def test_mistakes_leave_the_default(self) -> None:
        chosen, mistakes = examine((*COMMAND_LINE, CONFIG), {"timeout": "never"}, {})
        self.assertEqual((chosen["timeout"].value, chosen["timeout"].origin, len(mistakes)), (30.0, "default", 1))
