"""Each finding of the doctor, with the trouble really made."""

import json
import socket
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chord.status import NodeState
from p2pchat.cli import check_host, check_ring
from p2pchat.cli.finding import FAILED, OK, WARNING, Finding
from p2pchat.crypto.admission import ADMISSION_FILE
from p2pchat.crypto.authority import Authority
from p2pchat.crypto.certificates import Role
from p2pchat.crypto.evictions import Evictions
from p2pchat.identifiers import Address, Identifier, to_bytes
from p2pchat.replication.storage import SqliteStore
from p2pchat.replication.writer import InlineDisk
from p2pchat.server import commands
from p2pchat.server.clocks import RingClock
from p2pchat.server.health import Health, HealthLocator
from p2pchat.server.status import NodeRow
from tests.cli.test_main import CommandTests
from tests.end_to_end.stage import free_port, group

NOW = 1_800_000_000.0
DAY = 86_400.0
ME = Identifier(0x1A2B3C4D << 224)


def states(findings: list[Finding]) -> list[str]:
    """What was found, in a word each."""
    return [each.state for each in findings]


class HostTests(SynchronousTestCase):
    """Ports and multicast, with real sockets."""

    def assert_told(self, finding: Finding, state: str, *words: str) -> None:
        self.assertEqual(finding.state, state, finding)
        for word in words:
            self.assertIn(word, f"{finding.text} | {finding.remedy}")
        self.assertEqual(bool(finding.remedy), state != OK)

    def test_ports(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            used = Address("127.0.0.1", taken.getsockname()[1])
            self.assert_told(check_host.port("ring", used, False), FAILED, "in use", "--ring")
            self.assert_told(check_host.port("ring", used, True), OK, "answered")
            self.assert_told(check_host.port("ring", Address("0.0.0.0", used.port), True), OK)
        self.assert_told(check_host.port("ring", used, False), OK, "can be had")
        self.assert_told(check_host.port("ring", used, True), FAILED, "not answered", "firewall")
        self.assert_told(
            check_host.port("metrics", Address("203.0.113.7", 0), False), FAILED, "no interface", "--metrics"
        )

    def test_multicast_that_works(self) -> None:
        findings, nodes = check_host.multicast(Address.parse(group()), ["127.0.0.1"], 0.2)
        self.assertEqual((states(findings), nodes), ([OK], []))

    def test_an_interface_that_is_not_there(self) -> None:
        findings, _ = check_host.multicast(Address.parse(group()), ["203.0.113.7"], 0.1)
        self.assert_told(findings[0], WARNING, "203.0.113.7", "--interface")
        findings, _ = check_host.multicast(Address.parse(group()), [], 0.1)
        self.assert_told(findings[0], FAILED, "no interface", "--join")

    def test_datagrams_that_get_lost(self) -> None:
        with mock.patch("socket.socket.sendto", return_value=0, create=True):
            findings, _ = check_host.multicast(Address.parse(group()), ["127.0.0.1"], 0.1)
        self.assert_told(findings[0], FAILED, "does not hear", "firewall")


class DiskTests(SynchronousTestCase):
    """The disk and the database, with real files."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(mode=0o700)
        self.path = self.folder / "node.sqlite3"

    def test_a_good_folder(self) -> None:
        found = check_host.disk(self.folder, 1, 1)
        self.assertEqual([each.state for each in found if "durable" not in each.text], [OK])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_little_and_no_room(self) -> None:
        self.assertEqual(check_host.disk(self.folder, 1, 1 << 62)[0].state, WARNING)
        self.assertEqual(check_host.disk(self.folder, 1 << 62)[0].state, FAILED)
        nowhere = check_host.disk(Path("/proc"))
        self.assertEqual(states(nowhere[:2]), [FAILED, FAILED])
        self.assertIn("takes no writes", nowhere[1].text)

    def test_slow_writes(self) -> None:
        found = [check_host.judged_sync(seconds).state for seconds in (0.005, 0.2, 2.0)]
        self.assertEqual(found, [OK, WARNING, FAILED])

    def test_a_folder_that_others_can_read(self) -> None:
        self.folder.chmod(0o755)
        self.assertIn("chmod 700", check_host.disk(self.folder, 1, 1)[-1].remedy)

    def test_databases(self) -> None:
        self.assertEqual(states(check_host.database(self.folder)), [OK])
        (self.folder / "sequence").write_text("3")
        self.assertIn("missing", check_host.database(self.folder)[0].text)
        store = SqliteStore(self.path, ME, create=True)
        self.assertEqual(states(check_host.database(self.folder)), [OK])
        store._sql.execute("PRAGMA user_version = 99")
        found = check_host.database(self.folder)[0]
        self.assertEqual((found.state, "99" in found.text, "newer program" in found.remedy), (FAILED, True, True))
        store._sql.execute("PRAGMA user_version = 1")
        store.close()
        whole = bytearray(self.path.read_bytes())
        self.path.write_bytes(whole[: len(whole) // 2])
        self.assertEqual(states(check_host.database(self.folder)), [FAILED])
        self.path.write_bytes(b"nonsense" * 1000)
        self.assertEqual(states(check_host.database(self.folder)), [FAILED])


class CertificateTests(SynchronousTestCase):
    """Real admissions, at other times and of other rings."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()
        self.authority = Authority.create(self.root / "authority", "ring", 4, 16, NOW)
        self.folder = self.root / "node"
        self.folder.mkdir()
        self.admission = self.authority.admit(Role.NODE, NOW)
        self.admission.save(self.folder / ADMISSION_FILE)

    def found(self, now: float = NOW, authority: Path | None = None) -> Finding:
        findings, _ = check_ring.certificates(self.folder, authority, now)
        return findings[-1]

    def test_a_good_one_names_node_and_ring(self) -> None:
        found = self.found(authority=self.root / "authority")
        self.assertEqual((found.state, found.text.startswith("node ")), (OK, True))
        self.assertIn(self.admission.ring[:4].hex(), found.text)

    def test_too_late_too_early_and_soon(self) -> None:
        end = self.admission.certificate.parsed.not_valid_after_utc.timestamp()
        self.assertEqual(self.found(end - 10 * DAY).state, WARNING)
        late, early = self.found(end + DAY), self.found(NOW - 3 * DAY)
        self.assertEqual((late.state, "ended on" in late.text), (FAILED, True))
        self.assertEqual((early.state, "clock" in early.remedy), (FAILED, True))

    def test_a_damaged_one_and_none(self) -> None:
        path = self.folder / ADMISSION_FILE
        path.write_text(path.read_text().replace("A", "B", 40))
        self.assertEqual(self.found().state, FAILED)
        path.unlink()
        self.assertEqual(self.found().state, WARNING)
        self.assertEqual(self.found(authority=self.root / "authority").state, OK)

    def test_an_authority_of_another_ring(self) -> None:
        Authority.create(self.root / "other", "other", 4, 16, NOW)
        found = self.found(authority=self.root / "other")
        self.assertEqual((found.state, "another ring" in found.text), (FAILED, True))

    def test_an_evicted_node(self) -> None:
        digits = to_bytes(self.admission.identifier).hex()
        evictions = self.authority.evict([digits], Evictions.none(), NOW)
        (self.folder / "evictions").write_bytes(evictions.encoded)
        found = self.found()
        self.assertEqual((found.state, "evicted" in found.text), (FAILED, True))


class RingTests(SynchronousTestCase):
    """What a running node says of itself and the others."""

    def setUp(self) -> None:
        self.offset, self.state = 0.0, NodeState.READY
        self.rows = [NodeRow(Identifier(number << 224), "a:1", "a:2", "ready") for number in (1, 2, 3)]
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        store = SqliteStore(folder / "node.sqlite3", ME, create=True)
        self.addCleanup(store.close)
        self.ring_clock = RingClock(Clock(), lambda: NOW, lambda: [Identifier(2), Identifier(3)], self.their_clock)
        health = Health(lambda: self.state, lambda: False, InlineDisk(store), folder, Clock())
        self.locator = HealthLocator(health, self.ring_clock)

    async def their_clock(self, node: Identifier) -> float:
        return NOW + self.offset

    async def ask(self, command: Any, **arguments: Any) -> dict[str, Any]:
        """As a node answers."""
        if command is commands.AskHealth:
            box = commands.AskHealth.makeResponse(await self.locator.ask_health(), None)
            answer: dict[str, Any] = commands.AskHealth.parseResponse(box, None)
            return answer
        return {"nodes": [row.values() for row in self.rows], "next": 0}

    def found(self) -> list[Finding]:
        self.successResultOf(Deferred.fromCoroutine(self.ring_clock.compare()))
        return self.successResultOf(Deferred.fromCoroutine(check_ring.running(self.ask)))

    def test_all_is_well(self) -> None:
        self.assertEqual(set(states(self.found())), {OK})

    def test_a_clock_that_is_off(self) -> None:
        for offset, state, word in ((4.0, WARNING, "behind"), (-400.0, FAILED, "ahead of"), (1.0, OK, "behind")):
            self.offset = offset
            found = self.found()[0]
            self.assertEqual((found.check, found.state, word in found.text), ("clock", state, True))

    def test_a_clock_that_nobody_compared(self) -> None:
        self.assertEqual(check_ring.clock(0.0, 0).state, WARNING)

    def test_a_node_that_is_not_ready(self) -> None:
        self.state = NodeState.LEAVING
        self.assertIn(("ring", FAILED), [(each.check, each.state) for each in self.found()])

    def test_nodes_that_are_away_copies_that_are_missing_and_few_nodes(self) -> None:
        self.rows[0] = NodeRow(ME, "a:1", "a:2", "dead", deficit=7)
        told = [each.text for each in self.found() if each.state == WARNING]
        self.assertEqual(len(told), 3)
        for words in ("1a2b3c4d (dead)", "7 copies are missing", "2 nodes are ready"):
            self.assertTrue([text for text in told if words in text], words)


class CommandLineTests(CommandTests):
    """The command."""

    def test_a_fresh_host_has_nothing_broken(self) -> None:
        free = ("--ring", "127.0.0.1:0", "--clients", "127.0.0.1:0", "--no-multicast")
        with mock.patch("p2pchat.cli.doctor.reached", return_value=[]):
            status, output, errors = self.command("doctor", "--data", str(self.folder / "node"), *free, "--json")
        rows = [json.loads(line) for line in output.splitlines()]
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual({tuple(row) for row in rows}, {("check", "state", "text", "remedy")})
        self.assertEqual(
            {row["check"] for row in rows}, {"certificate", "disk", "database", "multicast", "port", "clock"}
        )

    def test_what_is_broken_has_a_remedy_and_status_1(self) -> None:
        with socket.socket() as taken, mock.patch("p2pchat.cli.doctor.reached", return_value=[]):
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            port = f"127.0.0.1:{taken.getsockname()[1]}"
            words = ("--ring", port, "--clients", f"127.0.0.1:{free_port()}", "--no-multicast")
            status, output, _ = self.command("doctor", "--data", str(self.folder / "node"), *words)
        self.assertEqual(status, 1)
        self.assertRegex(output, rf"(?m)^failed +port +ring {port} cannot be had: .*\n +→ stop the program that has it")
