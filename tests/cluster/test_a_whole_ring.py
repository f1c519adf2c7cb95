"""A whole ring: found across the router, though nobody names a node; people write to each other."""

from tests.cluster.hosts import Host
from tests.cluster.stage import ClusterCase, Person


class FindingTests(ClusterCase):
    """Nobody was told an address."""

    def test_agents_find_the_ring_across_the_router(self) -> None:
        nodes = {row["node"] for row in self.stage.status(self.stage.servers[0])}
        for person in (self.ana, self.bob, self.cat):
            self.assertIn(person.gateway(), nodes)
        self.whole()

    def test_agents_find_the_ring_through_the_relay(self) -> None:
        self.stage.hosts.start_router(relay=True)
        self.find_anew(self.ana.host)
        self.stage.hosts.start_router()
        self.whole()

    def test_agents_find_the_ring_after_the_router_came_back(self) -> None:
        self.stage.hosts.router.stop()
        self.stage.hosts.router.start()
        self.find_anew(self.bob.host)
        self.whole()

    def find_anew(self, host: Host) -> None:
        """An agent that knows nothing finds the ring."""
        self.somebody_new(f"stranger-{host.name}", host).end()


class ChatTests(ClusterCase):
    """People on hosts of their own."""

    def test_people_write_to_each_other_directly(self) -> None:
        for one, other in ((self.ana, self.bob), (self.bob, self.cat), (self.cat, self.ana)):
            self.both_write(one, other, "hello")
        self.eventually(lambda: self.way(self.ana, self.bob) == "direct", "no direct channel")
        self.whole()

    def test_mail_waits_for_somebody_whose_host_is_down(self) -> None:
        self.cat.host.kill()
        for number in range(3):
            self.ana("send", "cat", f"waiting {number}", "--wait", "stored")
        self.cat.host.start()
        wanted = [f"waiting {number}" for number in range(3)]
        self.eventually(lambda: self.cat.texts_from(self.ana)[-3:] == wanted, "mail does not come")
        self.whole()

    def way(self, sender: Person, receiver: Person) -> str:
        """How a new message reaches its receiver."""
        row = sender("send", receiver.name, "which way?", "--wait", "delivered").row
        steps = [step for each in sender("why", row["id"]).rows for step in each.get("steps", [each])]
        return str(next(step["way"] for step in steps if step["step"] in ("stored", "delivered")))
