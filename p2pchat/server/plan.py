"""The plan by which a ring went on after it lost majorities: verified, kept on disk, and carried out."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from p2pchat.crypto.certificates import Certificate
from p2pchat.crypto.orders import PLAN, Order
from p2pchat.errors import Damaged, Misbehaved
from p2pchat.replication.configuration import first_epoch
from p2pchat.replication.generation import Plan
from p2pchat.replication.packing import unpack
from p2pchat.replication.succession import Succession


class PlanKeeper:
    """A bulletin; its number is the ring's generation, and the newest plan makes all earlier ones needless.

    Args:
        slots: of the ring.
        succession: carries plans out.
        keep: writes a plan to disk, durably.
    """

    _log = Logger()

    def __init__(
        self,
        root: Certificate,
        now: Callable[[], float],
        evicts: Callable[[Certificate], bool],
        slots: int,
        succession: Succession,
        keep: Callable[[bytes], None],
    ) -> None:
        self._root, self._now, self._evicts, self._slots = root, now, evicts, slots
        self._succession, self._keep = succession, keep
        self.number, self.encoded = 0, b""

    def load(self, kept: bytes) -> None:
        """Take what lies on disk, and carry out what a crash may have left undone.

        Raises:
            Damaged: it is no plan of this ring.
        """
        if not kept:
            return
        try:
            # Its signer may have been evicted since.
            plan = self._read(kept, lambda _: False)
        except Misbehaved as error:
            raise Damaged(f"The plan in the data folder is damaged ({error}) Remove it: others have it.") from error
        self._take(plan, kept)

    def learn(self, encoded: bytes) -> bool:
        """Keep and carry out a plan of a later generation; whether it was one.

        Raises:
            Misbehaved: it is none that the authority signed, or makes no sense.
        """
        plan = self._read(encoded, self._evicts)
        if plan.generation <= self.number:
            return False
        self._keep(encoded)
        self._take(plan, encoded)
        return True

    def _take(self, plan: Plan, encoded: bytes) -> None:
        self.number, self.encoded = plan.generation, encoded
        adopting = Deferred.fromCoroutine(self._succession.adopt(plan))
        adopting.addErrback(lambda why: self._log.failure("the plan could not be carried out", why))

    def _read(self, encoded: bytes, evicts: Callable[[Certificate], bool]) -> Plan:
        order = Order.parse(PLAN, encoded, self._root, self._now(), evicts)
        plan = unpack(Plan, order.body)
        slots = sorted(slot for group in plan.groups for slot in group.slots)
        epochs = {group.configuration.epoch for group in plan.groups}
        if slots != list(range(self._slots)) or epochs != {first_epoch(plan.generation)}:
            raise Misbehaved("A plan leaves slots out, or plans for another generation than it says.")
        if plan.generation != order.generation or not plan.generation:
            raise Misbehaved("A plan is for another generation than its order.")
        return plan
