"""Tests of documents that spread: who has a higher number is asked, what proves nothing is not kept."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.certificates import Role
from p2pchat.crypto.evictions import Evictions
from p2pchat.errors import Damaged, Misbehaved, TryElsewhere
from p2pchat.wire.bulletins import PART_BYTES, AskBulletin, BulletinLocator, Bulletins, Kind
from p2pchat.wire.connection import Link, call
from p2pchat.wire.evictions import EvictionList
from tests.wire.network import MemoryNetwork
from tests.wire.ring import NOW, admission, authority


def signed(*numbers: int, before: Evictions | None = None) -> Evictions:
    """A list of the ring's authority with these nodes on it."""
    ours = authority("ring")
    entries = [(Role.NODE, admission("ring", number).certificate.serial) for number in numbers]
    return (before or Evictions.none()).extended(ours.key, ours.certificate, entries)


class Paper:
    """A document that proves itself by beginning with the letter p."""

    def __init__(self, number: int, encoded: bytes) -> None:
        self.number, self.encoded = number, encoded

    def learn(self, encoded: bytes) -> bool:
        if not encoded.startswith(b"p"):
            raise Misbehaved("No p.")
        self.number, self.encoded = len(encoded), encoded
        return True


class ListTests(SynchronousTestCase):
    """What one program keeps."""

    def setUp(self) -> None:
        self.disk: list[bytes] = []
        self.list = EvictionList(lambda: authority("ring").root, lambda: NOW, self.disk.append)

    def test_a_newer_list_is_kept_before_it_counts(self) -> None:
        first = signed(1)
        self.assertTrue(self.list.learn(first.encoded))
        self.assertEqual((self.list.number, self.disk), (1, [first.encoded]))
        self.assertTrue(self.list.evicts(admission("ring", 1).certificate))
        self.assertFalse(self.list.evicts(admission("ring", 2).certificate))
        self.assertFalse(self.list.learn(first.encoded))
        self.assertTrue(self.list.learn(signed(2, before=first).encoded))
        self.assertFalse(self.list.learn(first.encoded))
        self.assertEqual(len(self.disk), 2)

    def test_a_foreign_or_damaged_list_is_refused(self) -> None:
        theirs = authority("other")
        foreign = Evictions.none().extended(theirs.key, theirs.certificate, [])
        self.assertRaises(Misbehaved, self.list.learn, foreign.encoded)
        self.assertRaises(Damaged, self.list.load, b"damaged", "The file evictions")
        self.assertEqual((self.list.number, self.disk), (0, []))

    def test_what_lies_on_disk_counts_after_a_restart(self) -> None:
        self.list.load(signed(1).encoded, "The file evictions")
        self.assertTrue(self.list.evicts(admission("ring", 1).certificate))

    def test_nobody_is_evicted_while_no_ring_is_known(self) -> None:
        unpinned = EvictionList(lambda: None, lambda: NOW, self.disk.append)
        unpinned.load(signed(1).encoded, "The file evictions")
        self.assertFalse(unpinned.learn(signed(1).encoded))
        self.assertFalse(unpinned.evicts(admission("ring", 1).certificate))


class SpreadTests(SynchronousTestCase):
    """What two programs tell each other."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.papers = [Paper(0, b""), Paper(0, b"")]
        self.news: list[list[Kind]] = [[], []]
        self.all = [Bulletins(self.network.clock, Paper(0, b"")) for _ in self.papers]
        for each, paper, heard in zip(self.all, self.papers, self.news, strict=True):
            each.keep(Kind.PLAN, paper)
            each.on_news.append(heard.append)
        self.links = self.network.pair(self.link, self.link)
        for each, link in zip(self.all, self.links, strict=True):
            link.serve([BulletinLocator(each, link)])

    def link(self) -> Link:
        return Link(self.network.clock)

    def test_who_is_told_of_a_higher_number_asks_for_the_document(self) -> None:
        self.all[0].learn(Kind.PLAN, b"plan")
        self.all[0].tell([self.links[0]])
        self.network.flush()
        self.assertEqual((self.papers[1].encoded, self.news), (b"plan", [[Kind.PLAN], [Kind.PLAN]]))

    def test_a_long_document_comes_in_parts(self) -> None:
        long = b"p" + bytes(2 * PART_BYTES)
        self.all[1].learn(Kind.PLAN, long)
        self.all[1].tell([self.links[1]])
        self.network.flush()
        self.assertEqual(self.papers[0].encoded, long)

    def test_nothing_is_asked_for_a_lower_number(self) -> None:
        self.all[0].learn(Kind.PLAN, b"plan")
        self.all[1].learn(Kind.PLAN, b"p")
        self.all[1].tell([self.links[1]])
        self.network.flush()
        self.assertEqual(self.papers[0].encoded, b"plan")

    def test_what_proves_nothing_is_not_kept(self) -> None:
        self.papers[0].number, self.papers[0].encoded = 9, b"wrong"
        self.all[0].tell([self.links[0]])
        self.network.flush()
        self.assertEqual((self.papers[1].number, self.news[1]), (0, []))
        self.assertTrue(self.links[1].usable)

    def test_an_unknown_kind_is_refused(self) -> None:
        answer: Deferred[Any] = Deferred.fromCoroutine(
            call(self.links[0], self.network.clock, AskBulletin, kind=77, offset=0)
        )
        self.network.flush()
        self.failureResultOf(answer, TryElsewhere)
