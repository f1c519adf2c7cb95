"""A ring is updated node by node: programs of this version and of the next one serve the same people meanwhile."""

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.stage import TWISTD, Stage, until

NEXT = f"from p2pchat.wire import hello; hello.SPOKEN = hello.Versions(hello.SPOKEN.highest, 99); {TWISTD}"
"""A program that speaks the version of this one and later ones."""
FAR = f"from p2pchat.wire import hello; hello.SPOKEN = hello.Versions(98, 99); {TWISTD}"
"""A program that has left this version behind."""


class RollingUpdateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.close)

    def test_nodes_of_two_versions_in_one_ring(self) -> None:
        nodes = self.stage.start_ring(3)
        alice, bob = self.stage.person("alice", *nodes), self.stage.person("bob", *nodes)
        alice.register()
        bob.register()
        alice("send", "bob", "before")
        for index in (0, 1):
            self.assertIn(nodes[index].stop(), (0, -15))
            others = [node for node in nodes if node is not nodes[index]]
            again = self.stage.spawn_member(others[0], data=nodes[index].data, program=NEXT)
            nodes[index] = self.stage.ready(again)
            self.stage.wait_for_growth(nodes)
            alice = self.stage.person("alice", *nodes)
            alice("send", "bob", f"after {index}")
        wanted = ["before", "after 0", "after 1"]
        until(lambda: bob.texts_from(alice) == wanted, "a message did not come during the update")
        far = self.stage.spawn_member(nodes[2], program=FAR)
        until(lambda: "update the program that speaks" in far.log, f"it is not told why nobody takes it:\n{far.log}")
