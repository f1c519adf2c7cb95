"""All servers restarted, one after the other, while people write to each other: nobody loses a message."""

from tests.cluster.stage import ClusterCase, figure
from tests.cluster.talk import Talk

EVERY_SECONDS = 0.25


class RestartTests(ClusterCase):
    """As docs/operations.md says that it is done."""

    def test_constant_chat_outlives_a_restart_of_every_server(self) -> None:
        # These two never meet directly: all that they write goes through mailboxes on the ring.
        self.ana.host.shut_out([self.cat.host], "REJECT")
        self.cat.host.shut_out([self.ana.host], "REJECT")
        talk = Talk([(self.ana, self.bob), (self.ana, self.cat)], EVERY_SECONDS)
        self.addCleanup(talk.stop)
        seconds = []
        for server in self.stage.servers:
            server.stop()
            server.start()
            seconds.append(self.stage.until_whole())
        reports = talk.end()
        kinds = {frozenset(("ana", "bob")): "direct channel", frozenset(("ana", "cat")): "by mailbox"}
        talk.tell(reports, kinds)
        figure(f"restart of one server: whole again after {', '.join(f'{each:.1f}' for each in seconds)} s")
        self.ana.host.let_in()
        self.cat.host.let_in()
        self.whole()
