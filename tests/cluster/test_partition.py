"""A ring of five on two switches, and the cable between them is pulled: two nodes here, three there."""

import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.cluster import namespaces
from tests.cluster.namespaces import Namespaces
from tests.end_to_end.stage import Answer, Node, Stage, p2pchat, until

LEFT, RIGHT = 2, 3
SMALL, LARGE = 0, 2
"""A host on each side."""
NO_QUORUM = 6
TAKEN = 5


class Switched(Stage):
    """A stage whose nodes are hosts on two switches."""

    net: Namespaces

    def spawn_at(self, number: int, join: str = "") -> Node:
        """Start the node of a host."""
        address = self.net.addresses[number]
        told = [
            "--ring",
            f"{address}:0",
            "--clients",
            f"{address}:0",
            "--no-multicast",
            "--authority",
            str(self.authority),
        ]
        joining = ["--join", join] if join else []
        data = self.folder / f"node{number}"
        return self.spawn(*told, *joining, data=data, within=self.net.within(number))

    def p2pchat(self, number: int, home: str, *words: str) -> Answer:
        """Run a command on a host, in a home that knows the nodes of its side."""
        side = range(LEFT) if number < LEFT else range(LEFT, LEFT + RIGHT)
        servers = [word for each in side for word in ("--server", self.nodes[each].clients)]
        told = ["--home", str(self.folder / home), "--json", "--no-multicast", *servers]
        listening = ["--listen", f"{self.net.addresses[number]}:0"]
        return p2pchat(*words, *told, *listening, folder=self.folder, within=self.net.within(number))


class PartitionTests(SynchronousTestCase):
    """Needs root and network namespaces."""

    skip = namespaces.missing() or None

    def setUp(self) -> None:
        self.stage = Switched()
        self.addCleanup(self.stage.close)
        self.stage.net = Namespaces(LEFT, RIGHT)
        self.addCleanup(self.stage.net.close)
        self.password = self.stage.folder / "password"
        self.password.write_text("correct horse battery switch\n")
        first = self.stage.ready(self.stage.spawn_at(0))
        nodes = [first, *(self.stage.spawn_at(number, first.address) for number in range(1, LEFT + RIGHT))]
        for node in nodes:
            self.stage.ready(node)
        self.stage.wait_for_growth(nodes)

    def register(self, number: int, name: str, home: str) -> Answer:
        return self.stage.p2pchat(number, home, "register", name, "--password-file", str(self.password))

    def sees(self, number: int, count: int) -> bool:
        rows = self.stage.status(self.stage.nodes[number])
        return len([row for row in rows if row["state"] == "ready"]) == count

    def test_the_larger_side_registers_and_the_smaller_says_that_it_cannot(self) -> None:
        before = self.register(SMALL, "before", "home-before")
        self.assertEqual(before.status, 0, before.errors)
        self.stage.net.part()
        until(lambda: self.sees(SMALL, LEFT), "the smaller side does not notice")
        until(lambda: self.sees(LARGE, RIGHT), "the larger side does not notice")
        began = time.monotonic()
        refused = self.register(SMALL, "contested", "home-small")
        sys.stderr.write(f"[figure] refused on the smaller side after {time.monotonic() - began:.1f} s\n")
        self.assertEqual(refused.status, NO_QUORUM, refused.errors)
        granted = self.register(LARGE, "contested", "home-large")
        self.assertEqual(granted.status, 0, granted.errors)
        self.stage.net.mend()
        self.stage.wait_for_growth(self.stage.nodes)
        again = self.register(SMALL, "contested", "home-late")
        self.assertEqual(again.status, TAKEN, again.errors)
        traces = {self.trace(number, "contested") for number in (SMALL, LARGE)}
        self.assertEqual(len(traces), 1, traces)
        hello = self.stage.p2pchat(LARGE, "home-large", "send", "before", "after the storm", "--wait", "delivered")
        self.assertEqual(hello.status, 0, hello.errors)

    def trace(self, number: int, name: str) -> tuple[str, ...]:
        """Slot, epoch and members, as one node has them."""
        data = str(self.stage.nodes[number].data)
        row = p2pchat("ring", "trace", name, "--data", data, "--json", folder=self.stage.folder).row
        return (str(row["slot"]), str(row["epoch"]), *row["members"])
