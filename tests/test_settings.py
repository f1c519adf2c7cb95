"""Flags win over the environment, that over the file; each mistake names the option and where it stands."""

import os
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import UserError
from p2pchat.identifiers import Address
from p2pchat.settings import CLIENT, COMMAND_LINE, SERVER, Shape, as_flags, resolve
from p2pchat.twistd import TableOptions


class ServerOptions(TableOptions):
    """As the server's plugin has them."""

    program = "p2pchat-server"
    table = SERVER


class ResolveTests(SynchronousTestCase):
    def file(self, text: str) -> str:
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path)

    def refused(self, flags: dict[str, object], environment: dict[str, str]) -> str:
        return str(self.assertRaises(UserError, resolve, SERVER, flags, environment))

    def test_defaults_are_the_contract(self) -> None:
        values = resolve(SERVER, {}, {})
        self.assertEqual(values["ring"], Address("0.0.0.0", 7401))
        self.assertEqual(values["clients"], Address("0.0.0.0", 7402))
        self.assertEqual(values["multicast"], Address("239.192.74.1", 7400))
        self.assertEqual((values["replicas"], values["slots"], values["repair-after"]), (4, 1024, 15.0))
        self.assertEqual((values["join"], values["no-multicast"], values["metrics"]), ((), False, None))

    def test_flags_win_over_environment_over_file(self) -> None:
        config = self.file('replicas = 2\nslots = 16\nrepair-after = 3\njoin = ["127.0.0.1:1", "127.0.0.2:2"]\n')
        environment = {"P2PCHAT_CONFIG": config, "P2PCHAT_SLOTS": "32", "P2PCHAT_REPAIR_AFTER": "4.5"}
        values = resolve(SERVER, {"repair-after": "6"}, environment)
        self.assertEqual((values["replicas"], values["slots"], values["repair-after"]), (2, 32, 6.0))
        self.assertEqual(values["join"], (Address("127.0.0.1", 1), Address("127.0.0.2", 2)))

    def test_the_environment_separates_by_commas_and_switches_by_digits(self) -> None:
        environment = {"P2PCHAT_JOIN": "127.0.0.1:1, [::1]:2", "P2PCHAT_NO_MULTICAST": "1"}
        values = resolve(SERVER, {}, environment)
        self.assertEqual(values["join"], (Address("127.0.0.1", 1), Address("::1", 2)))
        self.assertTrue(values["no-multicast"])

    def test_a_group_that_is_asked_for_beats_a_weaker_no_multicast(self) -> None:
        environment = {"P2PCHAT_NO_MULTICAST": "1"}
        self.assertFalse(resolve(SERVER, {"multicast": "239.1.2.3:4"}, environment)["no-multicast"])
        environment["P2PCHAT_MULTICAST"] = "239.1.2.3:4"
        self.assertTrue(resolve(SERVER, {}, environment)["no-multicast"])

    def test_mistakes_name_option_and_place(self) -> None:
        self.assertIn("--replicas", self.refused({"replicas": "3"}, {}))
        self.assertIn("P2PCHAT_RING", self.refused({}, {"P2PCHAT_RING": "nonsense"}))
        self.assertIn("P2PCHAT_NO_MULTICAST", self.refused({}, {"P2PCHAT_NO_MULTICAST": "yes"}))
        self.assertIn("--multicast", self.refused({"multicast": "10.0.0.1:7400"}, {}))
        self.assertIn("--repair-after", self.refused({"repair-after": "0"}, {}))
        self.assertIn("--slots", self.refused({"slots": "0"}, {}))
        self.assertIn("--join", self.refused({"join": ["127.0.0.1:0"]}, {}))
        self.assertIn("--interface", self.refused({"interface": ["eth0"]}, {}))

    def test_files_are_checked(self) -> None:
        self.assertIn("replicas?", self.refused({"config": self.file("replica = 4\n")}, {}))
        self.assertIn("no TOML file", self.refused({"config": self.file("= =\n")}, {}))
        self.assertIn("Cannot read", self.refused({"config": "/nowhere/at/all"}, {}))
        self.assertIn("ring in", self.refused({"config": self.file("ring = ['127.0.0.1:1']\n")}, {}))

    def test_one_file_serves_all_programs(self) -> None:
        config = self.file("slots = 8\nask-password = true\ntimeout = 5\n")
        self.assertEqual(resolve(SERVER, {"config": config}, {})["slots"], 8)
        self.assertTrue(resolve(CLIENT, {"config": config}, {})["ask-password"])
        self.assertEqual(resolve(COMMAND_LINE, {}, {"P2PCHAT_CONFIG": config})["timeout"], 5.0)

    def test_values_become_flags_again(self) -> None:
        flags = {"server": ["127.0.0.1:7402"], "no-multicast": True, "advertise": "example.org"}
        values = resolve(CLIENT, flags, {})
        again = as_flags(CLIENT, values)
        self.assertEqual(again, ["--server", "127.0.0.1:7402", "--advertise", "example.org", "--no-multicast"])

    def test_every_option_has_a_variable_of_its_own(self) -> None:
        variables = [each.variable for each in SERVER]
        self.assertEqual(len(set(variables)), len(variables))
        self.assertIn("P2PCHAT_REPAIR_AFTER", variables)
        self.assertEqual({each.name for each in SERVER if each.shape is Shape.MANY}, {"join", "interface"})


class OptionsTests(SynchronousTestCase):
    def parsed(self, *words: str) -> dict[str, object]:
        options = ServerOptions()
        with mock.patch.dict(os.environ, clear=True):
            options.parseOptions(list(words))
        return options.chosen

    def test_twistd_options_reach_the_table(self) -> None:
        chosen = self.parsed("--join", "127.0.0.1:1", "--join", "127.0.0.1:2", "--no-multicast", "--replicas", "0")
        self.assertEqual(chosen["join"], (Address("127.0.0.1", 1), Address("127.0.0.1", 2)))
        self.assertEqual((chosen["no-multicast"], chosen["replicas"]), (True, 0))
        self.assertEqual(self.parsed()["join"], ())

    def test_mistakes_end_with_status_two(self) -> None:
        for words in (["--replicas", "3"], ["--nonsense"], ["surplus"]):
            with mock.patch("sys.stderr") as errors:
                self.assertEqual(self.assertRaises(SystemExit, self.parsed, *words).code, 2)
            self.assertEqual(errors.write.call_args.args[0].count("\n"), 1)
