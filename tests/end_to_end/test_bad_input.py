"""What goes wrong with real processes: each has its exit status or a clear line, and nothing is lost."""

import random
import shutil
import socket
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.end_to_end.stage import TWISTD, Answer, Person, Stage, p2pchat, ring_of_five, until


class CommandTests(SynchronousTestCase):
    """What a person does wrong."""

    def setUp(self) -> None:
        self.stage: Stage = ring_of_five()

    def assert_reason(self, answer: Answer) -> str:
        """The reason is one line, the last on standard error, and nothing is printed."""
        reason = answer.errors.strip().splitlines()[-1]
        self.assertTrue(reason.startswith("p2pchat"), answer.errors)
        self.assertNotIn("Traceback", answer.errors)
        return reason

    def test_wrong_password(self) -> None:
        olga, thief = self.stage.person("olga"), self.stage.person("olga", home="thief")
        olga.register()
        thief.password = self.stage.folder / "guess"
        thief.password.write_text("a guess for olga\n")
        self.assert_reason(thief.login(status=4))
        self.assertEqual(thief("session").row["state"], "none")
        self.assertEqual(olga("session").row["state"], "active")

    def test_unknown_user(self) -> None:
        paul = self.stage.person("paul")
        self.assert_reason(paul.login(status=4))
        paul.register()
        self.assert_reason(paul("send", "nobody-at-all", "hello", status=4))
        self.assert_reason(paul("status", "nobody-at-all", status=4))

    def test_names_that_are_not_allowed(self) -> None:
        person = self.stage.person("quirin")
        for name in ("", "two words", "x" * 33, "a\u202eb", "\u0000".replace("\0", "tab\there")):
            answer = person("register", name, "--password-file", str(person.password), status=1)
            self.assert_reason(answer)

    def test_weak_password(self) -> None:
        person = self.stage.person("rosa")
        person.password = self.stage.folder / "weak"
        person.password.write_text("123456\n")
        self.assert_reason(person("register", "rosa", "--password-file", str(person.password), status=1))

    def test_wrong_recovery_key(self) -> None:
        sara = self.stage.person("sara")
        key = self.stage.folder / "wrong-key"
        key.write_text("AAAA-BBBB\n")
        sara.register()
        words = ("--recovery-key-file", str(key), "--password-file", str(sara.password))
        self.assert_reason(sara("recover", "sara", *words, status=4))

    def test_a_text_that_is_too_long(self) -> None:
        theo = self.stage.person("theo")
        theo.register()
        self.assert_reason(theo("send", "theo", "-", typed="x" * (48 * 1024 + 1), status=1))

    def test_not_logged_in(self) -> None:
        person = self.stage.person("ute")
        self.assert_reason(person("send", "ute", "hello", status=8))

    def test_no_node_reachable(self) -> None:
        person = self.stage.person("vera")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            person.servers = [f"127.0.0.1:{taken.getsockname()[1]}"]
            answer = person("register", "vera", "--password-file", str(person.password), timeout=10, status=7)
        self.assert_reason(answer)
        self.assertEqual(person("session").row["state"], "none")

    def test_mail_waits_in_the_outbox_while_no_node_is_reachable(self) -> None:
        person, nobody = self.stage.person("walter"), self.stage.person("wanda")
        person.register()
        nobody.register()
        person.stop_agent()
        servers, person.servers = person.servers, ["127.0.0.1:9"]
        answer = person("send", "wanda", "later", "--wait", "queued")
        self.assertEqual(answer.row["state"], "queued")
        person.stop_agent()
        person.servers = servers
        person("session")
        until(lambda: nobody.texts_from(person) == ["later"], "the message was lost")

    def test_wrong_arguments(self) -> None:
        for words in (
            ["send", "bob"],
            ["nonsense"],
            ["--timeout", "never", "chats"],
            ["history", "bob", "--limit", "x"],
        ):
            answer = p2pchat(*words, folder=self.stage.folder)
            self.assertEqual((answer.status, answer.errors.count("\n")), (2, 1), answer.errors)


class RingTests(SynchronousTestCase):
    """What an operator does wrong, and what goes wrong with a node."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        port = free_port()
        group = f"239.192.{random.randrange(1, 255)}.{random.randrange(1, 255)}:{port}"
        self.multicast = ["--multicast", group, "--interface", "127.0.0.1"]

    def own_ring(self, number: int, data: str) -> list[str]:
        """Options of a node on loopback that is found by multicast."""
        host = f"127.0.0.{number}"
        return ["--ring", f"{host}:0", "--clients", f"{host}:0", *self.multicast]

    def test_two_rings_on_one_group(self) -> None:
        names = []
        for number in (2, 3):
            authority = self.stage.folder / f"authority{number}"
            p2pchat("ring", "create", str(authority), folder=self.stage.folder)
            options = self.own_ring(number, f"node{number}")
            names.append(self.stage.ready(self.stage.spawn(*options, "--authority", str(authority))).ring)
        person = self.stage.person("xaver")
        told = ["--home", str(person.home), "--json", *self.multicast, "--listen", "127.0.0.1:0"]
        words = ["register", "xaver", "--password-file", str(person.password)]
        answer = p2pchat(*words, *told, folder=self.stage.folder)
        self.assertEqual(answer.status, 3, answer.errors)
        for name in names:
            self.assertIn(name, answer.errors)

    def test_a_foreign_ring(self) -> None:
        other = self.stage.folder / "other"
        p2pchat("ring", "create", str(other), folder=self.stage.folder)
        node = self.stage.ready(self.stage.spawn_member())
        person = self.stage.person("yvonne", node)
        certificate = ["--ring-certificate", str(other / "root.pem")]
        answer = person(
            "register", "yvonne", "--password-file", str(person.password), *certificate, status=3, timeout=20
        )
        self.assertEqual(answer.errors.count("Traceback"), 0)

    def test_a_node_without_admission_that_finds_a_ring_says_how_to_be_admitted(self) -> None:
        options = self.own_ring(2, "first")
        self.stage.ready(self.stage.spawn(*options, "--authority", str(self.stage.authority)))
        stranger = self.stage.spawn(*self.own_ring(3, "stranger"))
        self.assertEqual(self.stage.ended(stranger), 3)
        self.assertIn("ring admit", stranger.log)

    def test_a_node_without_admission_that_finds_no_ring_makes_one(self) -> None:
        node = self.stage.ready(self.stage.spawn(*self.own_ring(2, "alone")))
        self.assertIn("authority", node.log)

    def test_a_port_in_use(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.2", 0))
            taken.listen()
            address = f"127.0.0.2:{taken.getsockname()[1]}"
            options = ["--ring", address, "--clients", "127.0.0.2:0", "--no-multicast"]
            node = self.stage.spawn(*options, "--authority", str(self.stage.authority))
            self.assertEqual(self.stage.ended(node), 1)
        self.assertIn(address, node.log)
        self.assertNotIn("Traceback", node.log)

    def test_a_data_folder_that_another_node_uses(self) -> None:
        node = self.stage.ready(self.stage.spawn_member())
        log = node.data / "log"
        kept = log.read_bytes()
        second = self.stage.spawn_member(data=node.data)
        self.assertEqual(self.stage.ended(second), 1)
        self.assertIn(str(node.data), second.log)
        self.assertTrue(self.stage.status(node))
        log.write_bytes(kept)

    def test_a_damaged_database_is_left_as_it_is(self) -> None:
        node = self.stage.ready(self.stage.spawn_member())
        node.stop()
        database = node.data / "node.sqlite3"
        content = bytearray(database.read_bytes())
        content[: len(content) // 2] = random.Random(1).randbytes(len(content) // 2)
        database.write_bytes(content)
        again = self.stage.spawn_member(data=node.data)
        self.assertNotEqual(self.stage.ended(again), 0)
        self.assertIn("node.sqlite3", again.log)
        self.assertEqual(database.read_bytes(), bytes(content))

    def test_a_clock_that_is_off_by_an_hour(self) -> None:
        late = f"import time; real = time.time; time.time = lambda: real() + 3600; {TWISTD}"
        first = self.stage.ready(self.stage.spawn_member())
        others = [self.stage.spawn_member(first, program=program) for program in (late, TWISTD)]
        nodes = [first, *(self.stage.ready(each) for each in others)]
        self.stage.wait_for_growth(nodes)
        until(lambda: "clock" in nodes[1].log.lower(), f"the node does not say that its clock is off:\n{nodes[1].log}")
        zoe, yan = self.stage.person("zoe", nodes[1]), self.stage.person("yan", nodes[2])
        zoe.register()
        yan.register()
        yan.stop_agent()
        zoe("send", "yan", "what time is it?")
        yan("session")
        until(lambda: yan.texts_from(zoe) == ["what time is it?"], "the message is lost")

    def test_a_full_disk_of_a_home(self) -> None:
        node = self.stage.ready(self.stage.spawn_member())
        zoe, yan = self.stage.person("zoe", node), self.stage.person("yan", node)
        yan.register()
        self.mount(zoe.home)
        zoe.register()
        zoe("send", "yan", "before", "--wait", "delivered")
        fill(zoe.home)
        answer = zoe("send", "yan", "x" * 40_000, "--wait", "queued", status=None)
        self.assertNotIn(answer.status, (0, 2))
        self.assertNotIn("Traceback", answer.errors)
        (zoe.home / "filler").unlink()
        zoe("send", "yan", "after", "--wait", "delivered")
        self.assertEqual(yan.texts_from(zoe), ["before", "after"])
        zoe.stop_agent()

    def test_a_full_disk_of_a_node(self) -> None:
        data = self.stage.folder / "small"
        self.mount(data)
        node = self.stage.ready(self.stage.spawn_member(data=data))
        ana = self.stage.person("ana", node)
        ana.register()
        fill(data)
        ben = self.stage.person("ben", node)
        answer = ben("register", "ben", "--password-file", str(ben.password), status=None, timeout=15)
        self.assertNotIn(answer.status, (0, 2, 4, 5))
        self.assertNotIn("Traceback", answer.errors)
        (data / "filler").unlink()
        until(lambda: self.registered(ben), "the node does not recover")
        self.assertEqual(ana("session").row["state"], "active")
        node.stop()

    def registered(self, person: Person) -> bool:
        """Try again, as a person would."""
        words = ("register", person.name, "--password-file", str(person.password))
        return person(*words, status=None, timeout=15).status == 0

    def mount(self, folder: Path) -> None:
        """A disk of its own, of 8 MiB."""
        folder.mkdir(mode=0o700)
        command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except OSError as error:
            raise SkipTest(f"a full disk needs the right to mount one: {error}") from None
        if done.returncode != 0:
            raise SkipTest(f"a full disk needs the right to mount one: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(folder)], check=False)


def fill(folder: Path) -> None:
    """Write until nothing more fits."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        size = 1 << 20
        while size:
            try:
                filler.write(bytes(size))
            except OSError:
                size //= 2
    if shutil.disk_usage(folder).free > 8192:
        raise AssertionError("the disk did not get full")


def free_port() -> int:
    """A UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
