"""Adding, fetching and removing through a ring of real members."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.errors import Misbehaved, NoQuorum, SessionReplaced, StaleKey
from p2pchat.identifiers import CIRCLE, Identifier
from p2pchat.replication.commands import BuryItems, MarkItems
from p2pchat.replication.formats import Formats
from p2pchat.replication.register import Ballot, Register, Versioned
from p2pchat.replication.requests import ListRequest, SetReply
from p2pchat.replication.results import Page, Stored
from p2pchat.replication.sets import batches
from p2pchat.replication.slots import KIND_MAILKEY, KIND_SESSION, RegisterKey
from p2pchat.replication.store import View
from p2pchat.replication.uset import Item, ItemState

from .ring import Ring

POINT = Identifier(CIRCLE // 3)


def check_removal(session: bytes, proof: bytes, ids: object) -> ItemState:
    if proof != b"signed in " + session:
        raise Misbehaved("not signed by this session")
    return ItemState.ACKNOWLEDGED


FORMATS = Formats(fence_of=int, key_id_of=bytes, check_removal=check_removal)


def item(number: int, size: int = 10) -> Item:
    return Item(number.to_bytes(32, "big"), bytes([number % 256]) * size, b"meta")


class SetCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = Ring(in_memory=True, formats=FORMATS)
        self.addCleanup(self.ring.close)
        self.ring.grow(5)
        self.write(KIND_SESSION, b"1")
        self.write(KIND_MAILKEY, b"key 1")

    def write(self, kind: int, value: bytes, node: int = 0) -> None:
        self.ring.ask(self.ring.nodes[node].service.change(RegisterKey(POINT, kind), lambda old: value, value))

    def add(self, *numbers: int, key: bytes = b"key 1", node: int = 1, size: int = 10) -> Stored:
        items = [item(number, size) for number in numbers]
        return self.ring.ask(self.ring.nodes[node].service.add(POINT, key, items))

    def page(self, after: bytes = b"", limit: int = 50, fence: int = 1, node: int = 2) -> Page:
        return self.ring.ask(self.ring.nodes[node].service.fetch(POINT, fence, after, limit))

    def fetched(self, fence: int = 1, node: int = 2, limit: int = 50) -> list[int]:
        numbers, after = list[int](), b""
        while True:
            page = self.page(after, limit, fence, node)
            numbers += [int.from_bytes(each.id, "big") for each in page.items]
            if page.next is None:
                return numbers
            after = page.next

    def remove(self, *numbers: int, fence: int = 1, proof: bytes = b"signed in 1", node: int = 3) -> None:
        ids = [item(number).id for number in numbers]
        self.ring.ask(self.ring.nodes[node].service.remove(POINT, fence, ids, proof))

    def partition(self, *first: int) -> None:
        identifiers = [node.identifier for node in self.ring.nodes]
        rest = [identifiers[number] for number in range(5) if number not in first]
        self.ring.network.partition([[identifiers[number] for number in first], rest])


class AddTests(SetCase):
    def test_all_live_members_keep_a_copy(self) -> None:
        self.assertEqual(self.add(1, 2), Stored(5, 5))
        self.assertEqual(self.fetched(), [1, 2])

    def test_two_dead_members_cost_copies_and_no_time(self) -> None:
        self.ring.nodes[3].crash()
        self.ring.nodes[4].crash()
        begin = self.ring.clock.seconds()
        self.assertEqual(self.add(1), Stored(3, 5))
        self.assertLess(self.ring.clock.seconds() - begin, 1.0)

    def test_another_mail_key_is_stale(self) -> None:
        with self.assertRaises(StaleKey):
            self.add(1, key=b"key 2")
        self.write(KIND_MAILKEY, b"key 2")
        with self.assertRaises(StaleKey):
            self.add(1)
        self.assertEqual(self.add(1, key=b"key 2").copies, 5)

    def test_members_that_missed_the_new_key_are_brought_up_to_it(self) -> None:
        self.partition(3, 4)
        self.write(KIND_MAILKEY, b"key 2")
        self.ring.network.mend()
        self.ring.nodes[0].crash()
        self.assertEqual(self.add(1, key=b"key 2").copies, 4)

    def test_a_minority_sends_nothing(self) -> None:
        self.partition(0, 1)
        begin = self.ring.clock.seconds()
        with self.assertRaises(NoQuorum):
            self.add(1, node=1)
        self.assertLess(self.ring.clock.seconds() - begin, 3.0)
        self.ring.network.mend()
        self.assertEqual(self.fetched(), [])

    def test_many_long_items_go_in_batches(self) -> None:
        self.assertEqual(self.add(*range(30), size=20_000).copies, 5)
        self.assertEqual(self.fetched(), list(range(30)))

    def test_batches_are_full_and_in_order(self) -> None:
        made = batches([item(number, 30_000) for number in range(5)])
        self.assertEqual([[each.id[-1] for each in batch] for batch in made], [[0, 1], [2, 3], [4]])
        self.assertEqual(batches([]), [])


class FetchTests(SetCase):
    def test_pages_go_on_where_they_ended(self) -> None:
        self.add(*range(10))
        self.assertEqual(self.fetched(limit=3), list(range(10)))
        page = self.page(limit=3)
        self.assertEqual((page.items, page.next), (tuple(map(item, range(3))), item(2).id))

    def test_one_list_serves_all_pages(self) -> None:
        self.add(*range(10))
        asked: list[object] = []
        member = self.ring.nodes[2].service._member.sets
        listed = member.list

        def noted(view: View, request: ListRequest) -> SetReply:
            asked.append(request)
            return listed(view, request)

        self.patch(member, "list", noted)
        self.assertEqual(self.fetched(limit=3), list(range(10)))
        self.assertEqual(len(asked), 1)

    def test_pages_go_on_where_whoever_was_to_give_them_is_gone(self) -> None:
        self.add(*range(10))
        page = self.page(limit=3)
        _, listing = self.ring.nodes[2].service._sets._listings._kept[POINT, 1, page.next or b""]
        for holders in listing.holders.values():
            holders.clear()
        self.assertEqual([each.id for each in self.page(page.next or b"", 3).items], [item(n).id for n in (3, 4, 5)])

    def test_what_was_removed_between_two_pages_is_in_none(self) -> None:
        self.add(*range(10))
        page = self.page(limit=3)
        self.remove(4)
        self.assertEqual([each.id for each in self.page(page.next or b"", 3).items], [item(n).id for n in (3, 5)])

    def test_a_page_after_the_members_changed_is_of_the_new_ones(self) -> None:
        self.add(*range(10))
        page = self.page(limit=3)
        self.ring.nodes[0].crash()
        self.ring.clock.advance(1.0)
        self.assertEqual([each.id for each in self.page(page.next or b"", 3).items], [item(n).id for n in (3, 4, 5)])

    def test_an_older_session_is_told_that_it_was_replaced(self) -> None:
        self.write(KIND_SESSION, b"2")
        with self.assertRaises(SessionReplaced):
            self.fetched(fence=1)
        self.assertEqual(self.fetched(fence=2), [])

    def test_what_only_a_majority_knows_is_fetched(self) -> None:
        self.partition(3, 4)
        self.add(1)
        self.ring.network.mend()
        self.ring.nodes[0].crash()
        self.assertEqual(self.fetched(node=4), [1])

    def test_a_minority_cannot_fetch(self) -> None:
        self.add(1)
        self.partition(3, 4)
        with self.assertRaises(NoQuorum):
            self.fetched(node=4)

    def test_state_of_items(self) -> None:
        self.add(1, 2)
        self.remove(2)
        states = [self.ring.ask(self.ring.nodes[4].service.state(POINT, item(each).id)) for each in (1, 2, 3)]
        self.assertEqual(states, [ItemState.PRESENT, ItemState.ACKNOWLEDGED, ItemState.UNKNOWN])


class RemoveTests(SetCase):
    def test_removed_items_are_gone_for_every_majority(self) -> None:
        self.add(1, 2, 3)
        self.partition(3, 4)
        self.remove(2, node=0)
        self.ring.network.mend()
        self.ring.nodes[0].crash()
        self.ring.nodes[1].crash()
        self.assertEqual(self.fetched(node=4), [1, 3])

    def test_a_replaced_session_removes_nothing(self) -> None:
        self.add(1)
        self.write(KIND_SESSION, b"2")
        with self.assertRaises(SessionReplaced):
            self.remove(1)
        self.assertEqual(self.fetched(fence=2), [1])

    def test_a_removal_that_a_minority_took_counts_nowhere(self) -> None:
        self.add(1)
        identifiers = [node.identifier for node in self.ring.nodes]

        def cut(node: Identifier, command: type, what: str) -> None:
            if command is MarkItems and what == "answered":
                self.ring.network.partition([[each] for each in identifiers])

        self.ring.network.watch = cut
        with self.assertRaises(NoQuorum):
            self.remove(1)
        self.ring.network.watch = None
        self.ring.network.mend()
        self.assertEqual(self.fetched(), [1])

    def test_a_session_that_ends_between_the_halves_is_told(self) -> None:
        self.add(1)
        marked: list[bool] = []

        def watch(node: Identifier, command: type, when: str) -> None:
            if command is BuryItems and when == "arrived" and not marked:
                marked.append(True)
                for each in self.ring.nodes:
                    key = RegisterKey(POINT, KIND_SESSION)
                    ballot = Ballot(3, 9 << 24, self.ring.nodes[0].identifier)
                    each.store.put_register(key, Register(ballot, ballot, Versioned(9, (), b"2")))

        self.ring.network.watch = watch
        with self.assertRaises(SessionReplaced):
            self.remove(1)
        held = [node.store.item(POINT, item(1).id).state for node in self.ring.nodes]
        self.assertEqual(held.count(ItemState.PRESENT), 4)

    def test_a_wrong_proof_is_refused(self) -> None:
        self.add(1)
        with self.assertRaises(Misbehaved):
            self.remove(1, proof=b"signed in 7")
        self.assertEqual(self.fetched(), [1])

    def test_members_that_missed_the_login_take_its_removals(self) -> None:
        self.add(1)
        self.partition(3, 4)
        self.write(KIND_SESSION, b"2")
        self.ring.network.mend()
        self.ring.nodes[0].crash()
        self.ring.nodes[1].crash()
        self.remove(1, fence=2, proof=b"signed in 2")
        self.assertEqual(self.fetched(fence=2), [])

    def test_old_mail_goes_by_itself(self) -> None:
        self.add(1)
        self.ring.begin += 32 * 86_400.0
        self.ring.run(601.0)
        self.assertEqual(self.fetched(), [])
