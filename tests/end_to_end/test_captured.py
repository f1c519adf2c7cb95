"""Who records the wire or takes the disks finds no name, no text and no password: real processes, every byte kept."""

import base64
import socket
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import Node, Person, Stage, free_port, until
from tests.end_to_end.wiretap import Wiretap, forms, leaks

TLS_HANDSHAKE = b"\x16\x03"
NODES = 3
TEXTS = ("the first secret sentence goes directly", "the second one waits in a mailbox", "and a third from elsewhere")


class Tapped(Person):
    """Somebody whose agent is reached through a tap."""

    @property
    def agent_options(self) -> list[str]:
        """A port chosen before, and the tap's host as the address that contacts are told."""
        servers = [word for each in self.servers for word in ("--server", each)]
        listening, told = PLACES[self.home.name]
        return ["--no-multicast", "--listen", listening, "--advertise", told, *servers]


PLACES: dict[str, tuple[str, str]] = {}
"""Of each home: where its agent listens, and which host it tells."""


class CapturedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.taps: list[Wiretap] = []
        self.addCleanup(self.close)

    def close(self) -> None:
        for tap in self.taps:
            tap.stop()
        self.stage.close()

    def tap(self, number: int, port: int) -> Wiretap:
        """Between whoever dials 127.0.1.NUMBER and the program that listens at 127.0.0.NUMBER."""
        tap = Wiretap((f"127.0.1.{number}", port), (f"127.0.0.{number}", port)).start()
        self.taps.append(tap)
        return tap

    def node(self, number: int, join: str | None) -> tuple[Node, str, str]:
        """A node that everybody reaches through taps: it, its ring address and its clients address as told."""
        ring, clients = free_port(), free_port()
        for port in (ring, clients):
            self.tap(number, port)
        joining = ["--join", join] if join else []
        node = self.stage.spawn(
            *("--ring", f"127.0.0.{number}:{ring}", "--clients", f"127.0.0.{number}:{clients}"),
            *("--advertise", f"127.0.1.{number}", "--no-multicast", "--authority", str(self.stage.authority)),
            *joining,
        )
        self.stage.ready(node)
        return node, f"127.0.1.{number}:{ring}", f"127.0.1.{number}:{clients}"

    def person(self, name: str, number: int, servers: list[str], home: str | None = None) -> tuple[Person, Wiretap]:
        """Somebody whose agent is reached through a tap."""
        made, port = self.stage.person(name, home=home), free_port()
        PLACES[made.home.name] = (f"127.0.0.{number}:{port}", f"127.0.1.{number}")
        person = Tapped(self.stage, name, made.home, servers, made.password)
        self.stage.people[-1] = person
        return person, self.tap(number, port)

    def test_neither_the_wire_nor_the_nodes_disks_know_what_is_said(self) -> None:
        first, joining, clients = self.node(11, None)
        nodes, servers = [first], [clients]
        for number in range(12, 11 + NODES):
            node, _, clients = self.node(number, joining)
            nodes.append(node)
            servers.append(clients)
        self.stage.wait_for_growth(nodes)
        ring_taps, clients_taps = self.taps[0::2], self.taps[1::2]
        wanda, wanda_tap = self.person("wanda-the-writer", 31, servers)
        rafael, rafael_tap = self.person("rafael-the-reader", 32, servers[::-1])
        recovery = [each.register()["recovery_key"] for each in (wanda, rafael)]
        disks: list[bytes] = []
        for sender, receiver in ((wanda, rafael), (rafael, wanda)):
            sender("send", receiver.name, "hello", "--wait", "delivered")
        until(lambda: self.sent_directly(wanda, rafael), "no direct channel")
        disks += self.disks(nodes)
        rafael.stop_agent()
        wanda("send", rafael.name, TEXTS[1], "--wait", "stored")
        disks += self.disks(nodes)
        until(lambda: TEXTS[1] in rafael.texts_from(wanda), "the mail does not come")
        elsewhere, _ = self.person(wanda.name, 33, servers, home="wanda-elsewhere")
        elsewhere.login()
        until(lambda: elsewhere("session").row["handover"]["state"] == "done", "nothing is handed over")
        elsewhere("send", rafael.name, TEXTS[2], "--wait", "delivered")
        disks += self.disks(nodes)
        passwords = [each.password.read_text().strip() for each in (wanda, rafael)]
        for taps in (ring_taps, clients_taps, [wanda_tap, rafael_tap]):
            self.assertGreater(sum(each.bytes_heard() for each in taps), 2_000)
        wire = [each for tap in self.taps for each in tap.recordings() if each]
        self.assertTrue(all(each.startswith(TLS_HANDSHAKE) for each in wire))
        self.assertEqual(leaks(wire, [*TEXTS, wanda.name, rafael.name, *passwords, *recovery]), [])
        self.assertEqual(leaks(disks, [*TEXTS, *passwords, *recovery]), [])
        self.assertTrue(leaks(disks, [wanda.name]), "names are known to nodes: this search finds what is there")

    def sent_directly(self, sender: Person, receiver: Person) -> bool:
        row = sender("send", receiver.name, TEXTS[0], "--wait", "delivered").row
        return any(
            step.get("way") == "direct" for line in sender("why", row["id"]).rows for step in line.get("steps", [line])
        )

    def disks(self, nodes: list[Node]) -> list[bytes]:
        """All that the nodes have on disk at this moment: databases with their journals, logs."""
        return [each.read_bytes() for node in nodes for each in sorted(Path(node.data).rglob("*")) if each.is_file()]


class SearchTests(SynchronousTestCase):
    def test_what_goes_through_a_tap_in_any_form_is_found(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            tap = Wiretap(("127.0.0.1", free_port()), server.getsockname()).start()
            self.addCleanup(tap.stop)
            for form, planted in forms("a planted sentence").items():
                with socket.create_connection(tap.at) as sending:
                    sending.sendall(b"\x16\x03 before " + planted + b" after")
                wanted = f"'a planted sentence' as {form}"
                until(partial(self.found, tap, wanted), wanted)

    def found(self, tap: Wiretap, wanted: str) -> bool:
        return wanted in leaks(tap.recordings(), ["a planted sentence"])

    def test_base64_inside_a_longer_text_is_found(self) -> None:
        for shift in range(7):
            place = base64.b64encode(bytes(range(shift)) + b"a planted sentence" + b"\xff\xfe")
            self.assertTrue(leaks([b"{" + place + b"}"], ["a planted sentence"]), shift)

    def test_what_is_not_there_is_not_found(self) -> None:
        self.assertEqual(leaks([b"another planted text"], ["a planted sentence"]), [])
