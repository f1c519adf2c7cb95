"""Hosts whose clocks are wrong: servers say so and delete nothing, and the ring works."""

import re

from tests.cluster import drivers
from tests.cluster.hosts import Host
from tests.cluster.stage import SERVERS, ClusterCase

TEN_MINUTES = 600
DAY = 86_400
TOLERATED = 60
"""Seconds between what a server measures and what its clock was set to: it asks once a minute."""

NUMBERS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:7403/metrics', timeout=10).read().decode())"


class ClockTests(ClusterCase):
    """The clocks of some hosts are put forward or back; the others' are right."""

    skip = drivers.missing() or drivers.clocks_missing() or None

    def restart(self, host: Host, seconds: int) -> None:
        """Restart a host with a clock that is so many seconds ahead; 0: with this machine's own."""
        host.set_clock(seconds)
        host.stop()
        host.use_own_clock(bool(seconds))
        host.start()

    def ahead(self, server: Host) -> float:
        """By how much a server believes that it is ahead of the others."""
        shown = server.run(server.python, "-c", NUMBERS).output
        found = re.search(r"^p2pchat_clock_ahead_seconds (\S+)$", shown, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def until_known(self, server: Host, seconds: int) -> None:
        """Wait until a server has measured how wrong it is."""
        self.eventually(lambda: abs(self.ahead(server) - seconds) < TOLERATED, f"{server.name} does not see its clock")

    def all_keep_mail(self, texts: list[str], when: str) -> None:
        """Mail for somebody who is away is kept by every server, also by one whose clock is wrong."""

        def copies() -> int:
            texts.append(f"{when} {len(texts)}")
            return int(self.ana("send", "cat", texts[-1], "--wait", "stored").row["copies"])

        self.eventually(lambda: copies() == SERVERS, f"not every server keeps mail {when}")

    def test_servers_that_are_ten_minutes_off_say_so_and_serve(self) -> None:
        early, late = self.stage.servers[:2]
        self.restart(early, TEN_MINUTES)
        self.restart(late, -TEN_MINUTES)
        self.restart(self.ana.host, TEN_MINUTES)
        self.stage.until_whole()
        for server, seconds, way in ((early, TEN_MINUTES, "ahead of"), (late, -TEN_MINUTES, "behind")):
            self.until_known(server, seconds)
            self.assertRegex(server.log, rf"The clock of this machine is (59\d|60\d) s {way} the other nodes'")
            doctor = server.run("p2pchat", "doctor", "--json")
            (clock,) = [row for row in doctor.rows if row["check"] == "clock"]
            self.assertEqual(clock["state"], "failed", clock)
        self.eventually(self.ana.gateway, "ana finds no node")
        self.both_write(self.ana, self.bob, "with a wrong clock")
        newcomer = self.somebody_new("timely", self.cat.host)
        newcomer.register()
        self.ana("send", newcomer.name, "welcome", "--wait", "delivered")
        newcomer.end()
        # While they run, their clocks are put right, as NTP does.
        for host in (early, late, self.ana.host):
            host.set_clock(0)
        for server in (early, late):
            self.until_known(server, 0)
        self.both_write(self.ana, self.cat, "with a clock put right")
        for host in (early, late, self.ana.host):
            self.restart(host, 0)
        self.whole()

    def test_a_server_whose_clock_jumps_by_forty_days_keeps_mail(self) -> None:
        server = self.stage.servers[2]
        self.restart(server, TEN_MINUTES)
        self.stage.until_whole()
        self.cat.host.stop()
        texts: list[str] = []
        self.all_keep_mail(texts, "before the jump")
        server.set_clock(40 * DAY)
        self.until_known(server, 40 * DAY)
        self.all_keep_mail(texts, "after the jump")
        self.restart(server, 40 * DAY)
        self.stage.until_whole()
        self.until_known(server, 40 * DAY)
        self.all_keep_mail(texts, "after another start")
        self.cat.host.start()
        self.eventually(lambda: self.cat.texts_from(self.ana)[-len(texts) :] == texts, "mail is lost")
        self.restart(server, 0)
        self.whole()

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
