"""Networks that are cut: two servers from three, and everybody from the router."""

import time

from tests.cluster.hosts import Host
from tests.cluster.stage import ClusterCase, Person, figure

NO_QUORUM = 6
NAME_TAKEN = 5
NO_NODE_REACHABLE = 7
TIMED_OUT = 9


class CutTests(ClusterCase):
    """Two servers and a client on one side, three servers and the others on the other side."""

    def test_three_of_five_servers_register_names_and_two_do_not(self) -> None:
        here = [*self.stage.servers[:2], self.ana.host]
        there = [*self.stage.servers[2:], self.bob.host, self.cat.host]
        small = self.somebody_new("cut-small", self.ana.host)
        big = self.somebody_new("cut-big", self.bob.host)
        self.both_write(self.ana, self.bob, "before the cut")
        cut(here, there)
        for person, side in ((self.ana, here), (small, here), (self.bob, there), (big, there)):
            self.until_gateway(person, side)
        began = time.monotonic()
        self.assertEqual(small.register("contested", status=None).status, NO_QUORUM)
        figure(f"refused on the smaller side after {time.monotonic() - began:.1f} s")
        self.assertEqual(small.register("lonely", status=None).status, NO_QUORUM)
        big.register("contested")
        self.assertEqual(small.register("contested", status=None).status, NO_QUORUM)
        self.bob("send", "ana", "from the big side", "--wait", "stored")
        self.ana("send", "bob", "from the small side", "--wait", "queued")
        for host in (*here, *there):
            host.let_in()
        figure(f"two of five servers cut off and back: whole again after {self.stage.until_whole():.1f} s")
        self.until_delivered(self.bob, self.ana, "from the big side")
        self.until_delivered(self.ana, self.bob, "from the small side")
        self.assertEqual(small.register("contested", status=None).status, NAME_TAKEN)
        small.register("lonely")
        places = {self.place_of("contested", each) for each in self.stage.servers}
        self.assertEqual(len(places), 1, places)
        for person in (small, big):
            person.end()
        self.whole()

    def place_of(self, name: str, server: Host) -> tuple[str, ...]:
        """Slot, epoch and members of an account, as one node has them."""
        row = server.run("p2pchat", "ring", "trace", name, "--json").row
        return (str(row["slot"]), str(row["epoch"]), *row["members"])

    def until_gateway(self, person: Person, side: list[Host]) -> None:
        """Wait until somebody's agent talks to a node of this side."""
        nodes = {self.stage.nodes[each.name] for each in side if each.name in self.stage.nodes}
        self.eventually(lambda: person.gateway() in nodes, f"{person.name} finds no node on this side")


class RouterTests(ClusterCase):
    """Clients without any server."""

    def test_clients_go_on_when_the_router_is_gone_and_when_it_is_back(self) -> None:
        newcomer = self.somebody_new("routeless", self.cat.host)
        self.both_write(self.ana, self.bob, "before the router went")
        self.stage.hosts.router.kill()
        self.eventually(lambda: self.ana.gateway() is None, "ana does not notice")
        self.both_write(self.ana, self.bob, "without a router")
        refused = newcomer.register(status=None).status
        self.assertIn(refused, (NO_NODE_REACHABLE, TIMED_OUT))
        self.stage.hosts.router.start()
        seconds = [self.until_connected(each) for each in (self.ana, self.bob, self.cat)]
        figure(f"router back: agents have a node again after {max(seconds):.1f} s")
        newcomer.register()
        self.ana("send", newcomer.name, "after the router came back", "--wait", "delivered")
        newcomer.end()
        self.whole()

    def until_connected(self, person: Person) -> float:
        """Wait until somebody's agent has a node; seconds."""
        began = time.monotonic()
        self.eventually(person.gateway, f"{person.name} finds no node")
        return time.monotonic() - began


def cut(here: list[Host], there: list[Host]) -> None:
    """Nothing goes from one side to the other any more."""
    for host in here:
        host.shut_out(there)
    for host in there:
        host.shut_out(here)
