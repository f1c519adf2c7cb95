"""Hosts whose address changes while they run: a node stays the same node, and a conversation goes on."""

import time

from tests.cluster.stage import ClusterCase, figure


class AddressTests(ClusterCase):
    """As with `docker network disconnect` and `connect --ip`."""

    def test_a_server_at_another_address_is_the_same_node(self) -> None:
        gateway = self.ana.gateway()
        server = next(each for each in self.stage.servers if self.stage.nodes[each.name] == gateway)
        self.assertIsNotNone(gateway)
        old = server.address
        server.unplug()
        server.plug(self.stage.hosts.address("servers", 99))
        began = time.monotonic()
        self.both_write(self.ana, self.cat, "while the server moves")
        self.eventually(self.ana.gateway, "ana finds no node")
        figure(f"a server at another address: its agents have a node again after {time.monotonic() - began:.1f} s")
        figure(f"a server at another address: whole again {self.whole():.1f} s later")
        rows = {row["node"]: row["address"] for row in self.stage.status(self.stage.servers[0])}
        self.assertEqual(rows[str(gateway)], f"{server.address}:7401")
        self.both_write(self.ana, self.bob, "after the server moved")
        server.unplug()
        server.plug(old)
        self.whole()

    def test_a_client_at_another_address_goes_on_with_its_conversation(self) -> None:
        self.both_write(self.ana, self.bob, "before bob moved")
        host = self.bob.host
        old = host.address
        host.unplug()
        self.ana("send", "bob", "while bob is away", "--wait", "stored")
        host.plug(self.stage.hosts.address("clients", 98))
        self.eventually(lambda: self.bob.texts_from(self.ana)[-1] == "while bob is away", "mail does not come")
        self.both_write(self.ana, self.bob, "after bob moved")
        self.assertIn(host.address, self.bob("status").row["listen"])
        host.unplug()
        host.plug(old)
        self.both_write(self.ana, self.bob, "bob is back")
        self.whole()
