"""A server whose disk is full: the others go on, and it does when there is room."""

from tests.cluster.stage import SMALL_DISK_MEBIBYTES, ClusterCase

LONG_TEXT = "long " * 8000


class DiskTests(ClusterCase):
    """The last server's disk is small."""

    def test_a_full_disk_refuses_writes_and_recovers(self) -> None:
        server = self.stage.servers[-1]
        filler = f"{server.folder}/filler"
        self.cat.host.stop()
        # Its journal is as short as it gets.
        server.stop()
        server.start()
        self.stage.until_whole()
        filled = server.run("sh", "-c", f"head -c {2 * SMALL_DISK_MEBIBYTES}M /dev/zero >{filler}")
        self.assertIn("No space left", filled.errors)
        texts: list[str] = []
        self.eventually(lambda: self.copies(texts) == 4, "the full server keeps copies")
        self.eventually(lambda: "refuses writes" in server.log, "the full server does not say so")
        self.assertTrue(server.runs)
        self.both_write(self.ana, self.bob, "with a full disk")
        self.assertEqual(server.run("rm", filler).status, 0)
        self.eventually(lambda: self.copies(texts) == 5, "the server does not recover")
        self.cat.host.start()
        self.eventually(lambda: self.cat.texts_from(self.ana)[-len(texts) :] == texts, "mail is lost")
        self.whole()

    def copies(self, texts: list[str]) -> int:
        """Send a long text to somebody who is away; how many nodes keep it."""
        texts.append(f"{LONG_TEXT}{len(texts)}")
        return int(self.ana("send", "cat", texts[-1], "--wait", "stored").row["copies"])
