"""Hosts whose clocks are wrong: they say so, and the ring works without them until they are right."""

from tests.cluster import drivers
from tests.cluster.hosts import Host
from tests.cluster.stage import ClusterCase

DAY = 86_400


class ClockTests(ClusterCase):
    """The clock of a host is put back; the others' are right."""

    skip = drivers.missing() or drivers.clocks_missing() or None

    def restart(self, host: Host, seconds: int) -> None:
        """Restart a host with a clock that is so many seconds ahead; 0: with this machine's own."""
        host.set_clock(seconds)
        host.stop()
        host.use_own_clock(bool(seconds))
        host.start()

    def test_a_server_that_is_days_behind_trusts_nobody_until_its_clock_is_right(self) -> None:
        server, *others = self.stage.servers
        self.restart(server, -3 * DAY)
        self.eventually(lambda: "compare the clocks" in server.log, f"{server.name} does not say why it is alone")
        self.both_write(self.ana, self.bob, "without a server of last week")
        ready = {row["address"] for row in self.stage.status(others[0]) if row["state"] == "ready"}
        self.assertNotIn(f"{server.address}:7401", ready)
        if server.runs:
            server.set_clock(0)
        else:
            self.restart(server, 0)
        self.stage.until_whole()
        self.restart(server, 0)
        self.whole()
