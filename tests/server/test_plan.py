"""Plans of a generation: who may sign one, which one counts, and that the node that lacks it carries it out."""

from functools import lru_cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.crypto.authority import Authority
from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.orders import PLAN, SEAL, Order
from p2pchat.errors import Damaged, Misbehaved, UserError
from p2pchat.identifiers import Identifier
from p2pchat.replication.configuration import Configuration, Group, first_epoch
from p2pchat.replication.generation import Plan
from p2pchat.replication.packing import pack
from p2pchat.server.leaving import DrainedNodes
from p2pchat.server.plan import PlanKeeper
from p2pchat.server.survey import refuse_missing
from tests.wire.ring import NOW, authority

SLOTS = 4
A, B = Identifier(1), Identifier(2)


def plan(generation: int, slots: tuple[int, ...] = (0, 1, 2, 3), epoch: int | None = None) -> bytes:
    begin = first_epoch(generation) if epoch is None else epoch
    return pack(Plan(generation, (Group(Configuration(begin, (A, B), (A,)), slots),)))


@lru_cache
def signed(generation: int, body: bytes | None = None, ring: str = "ring") -> bytes:
    ours = authority(ring)
    return Order.sign(ours.key, ours.certificate, PLAN, generation, body or plan(generation)).encoded


class Carried:
    """Notes what it is to adopt."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []

    async def adopt(self, plan: Plan) -> None:
        self.plans.append(plan)


class PlanTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk: list[bytes] = []
        self.carried = Carried()
        self.evicted: set[bytes] = set()
        self.keeper = self.kept()

    def kept(self) -> PlanKeeper:
        def evicts(certificate: Certificate) -> bool:
            return certificate.serial in self.evicted

        succession = self.carried
        return PlanKeeper(authority("ring").root, lambda: NOW, evicts, SLOTS, succession, self.disk.append)  # type: ignore[arg-type]

    def test_a_plan_is_kept_and_carried_out_and_the_higher_generation_counts(self) -> None:
        self.assertTrue(self.keeper.learn(signed(2)))
        self.assertEqual([each.generation for each in self.carried.plans], [2])
        self.assertEqual((self.keeper.number, self.keeper.encoded, self.disk), (2, signed(2), [signed(2)]))
        self.assertFalse(self.keeper.learn(signed(2)) or self.keeper.learn(signed(1)))
        self.assertTrue(self.keeper.learn(signed(3)))

    def test_a_plan_on_disk_is_carried_out_again(self) -> None:
        self.keeper.load(signed(2))
        self.assertEqual((self.keeper.number, len(self.carried.plans), self.disk), (2, 1, []))
        self.keeper.load(b"")
        self.assertRaises(Damaged, self.kept().load, b"damaged")

    def test_what_the_authority_did_not_sign_or_makes_no_sense_is_refused(self) -> None:
        for wrong in (
            signed(1, ring="other"),
            signed(1, plan(2)),
            signed(1, plan(1, slots=(0, 1, 2))),
            signed(1, plan(1, slots=(0, 1, 2, 2))),
            signed(1, plan(1, epoch=7)),
            signed(2)[:-1],
            b"",
        ):
            self.assertRaises(Misbehaved, self.keeper.learn, wrong)
        self.evicted.add(authority("ring").certificate.serial)
        self.assertRaises(Misbehaved, self.keeper.learn, signed(1))
        self.assertEqual(self.carried.plans, [])

    def test_an_order_counts_for_what_it_says_only(self) -> None:
        ours = authority("ring")
        sealing = Order.sign(ours.key, ours.certificate, SEAL, 1, b"").encoded
        self.assertRaises(Misbehaved, Order.parse, PLAN, sealing, ours.root, NOW, lambda _: False)
        self.assertEqual(Order.parse(SEAL, sealing, ours.root, NOW, lambda _: False).generation, 1)

    def test_a_folder_plans_a_generation_once(self) -> None:
        ours = Authority.create(Path(self.mktemp()), "ring", 4, SLOTS, NOW)
        self.assertEqual(ours.plans(), 0)
        ours.order(SEAL, 1, b"")
        ours.order(PLAN, 1, plan(1))
        self.assertEqual(ours.plans(), 1)
        self.assertRaises(UserError, ours.order, PLAN, 1, plan(1))


class MissingTests(SynchronousTestCase):
    def test_nobody_may_be_missing_who_was_not_named(self) -> None:
        refuse_missing([])
        refused = self.assertRaises(UserError, refuse_missing, [Identifier(0xABC << 244)])
        self.assertIn("abc00000", str(refused))

    def test_who_left_for_good_is_remembered_until_it_is_met_again(self) -> None:
        disk: list[bytes] = []
        drained = DrainedNodes(b"", disk.append)
        for node in (A, B, A):
            drained.left(node)
        self.assertEqual((DrainedNodes(disk[-1], disk.append).nodes, len(disk)), ({A, B}, 2))
