"""Servers that are killed, stopped and frozen: chat and registration go on, and nothing that was stored is lost."""

from collections.abc import Callable

from tests.cluster.hosts import Host, at_once
from tests.cluster.stage import ClusterCase, figure


class FailureTests(ClusterCase):
    """Hosts fail while people write."""

    def servers_of(self, count: int) -> list[Host]:
        """Servers to strike, the gateway of ana first: that is what she notices most."""
        gateway = self.eventually(self.ana.gateway, "ana has no gateway")
        servers = sorted(self.stage.servers, key=lambda each: self.stage.nodes[each.name] != gateway)
        self.assertEqual(self.stage.nodes[servers[0].name], gateway)
        return servers[:count]

    def strike(self, count: int, how: Callable[[Host], None], mend: Callable[[Host], None]) -> None:
        """Let some servers fail; everything works without them, and the ring is whole when they are back."""
        self.cat.host.stop()
        stored = f"stored before {self.id()}"
        self.ana("send", "cat", stored, "--wait", "stored")
        struck = self.servers_of(count)
        at_once(how, struck)
        self.cat.host.start()
        self.both_write(self.ana, self.bob, f"without {count}: {self.id()}")
        self.eventually(lambda: self.cat.texts_from(self.ana)[-1] == stored, "what was stored does not come")
        self.register_elsewhere(f"{self.id().rpartition('.')[2][5:24]}")
        at_once(mend, struck)
        figure(f"{self.id().rpartition('.')[2]}: whole again after {self.whole():.1f} s")

    def register_elsewhere(self, name: str) -> None:
        """Somebody new registers meanwhile."""
        person = self.somebody_new(name, self.cat.host)
        person.register()
        self.ana("send", name, "welcome", "--wait", "delivered")
        person.end()

    def test_one_killed_server(self) -> None:
        self.strike(1, lambda host: host.kill(), lambda host: host.start())

    def test_one_stopped_server(self) -> None:
        self.strike(1, lambda host: host.stop(), lambda host: host.start())

    def test_two_servers_killed_at_once(self) -> None:
        self.strike(2, lambda host: host.kill(), lambda host: host.start())

    def test_two_frozen_servers(self) -> None:
        self.strike(2, lambda host: host.pause(), lambda host: host.thaw())
