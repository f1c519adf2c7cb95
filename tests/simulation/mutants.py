"""Planted bugs: each breaks one rule of the slot protocol, and the simulator must notice it.

The first nine are those of Etna-like designs that lose or double records; without them the same seeds are faultless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from p2pchat.identifiers import Identifier
from p2pchat.replication import acceptor as acceptors
from p2pchat.replication import configuration as configurations
from p2pchat.replication import inventory as inventories
from p2pchat.replication import learning, sets
from p2pchat.replication.acceptor import Acceptor
from p2pchat.replication.configuration import Configuration, Keep, SlotRecord, State, activated
from p2pchat.replication.coordinator import Coordinator
from p2pchat.replication.register import Ballot, Register, Versioned
from p2pchat.replication.requests import AddRequest, MarkRequest, SetReply, Status
from p2pchat.replication.setkeeper import SetKeeper
from p2pchat.replication.slots import KIND_MAILKEY
from p2pchat.replication.store import Store
from p2pchat.replication.transfers import CopyReply, CopyRequest
from p2pchat.replication.uset import ItemState
from p2pchat.simulation import disk, logins, machines, mail, names, world
from p2pchat.simulation.disk import MemoryStore
from p2pchat.simulation.governed import GovernedWorld
from p2pchat.simulation.report import Outcome
from p2pchat.simulation.world import Machine

Change = tuple[Any, str, Any]
"""An object, its attribute, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug.

    Attributes:
        within: it is noticed within the seeds from 1 to this one.
        known: a seed that noticed it, tried first.
    """

    name: str
    simulate: Callable[[int], Outcome]
    within: int
    known: Sequence[int]
    changes: Sequence[Change]


def any_epoch(self: Any, store: Store, place: Any, epoch: int) -> None:
    """Serve whatever epoch the asker believes in."""


def serves_sealed(self: SlotRecord, epoch: int) -> bool:
    return self.votes(epoch)


def not_sealed(record: SlotRecord) -> SlotRecord:
    return record


def copy_unsealed(self: inventories.Inventory, store: Store, request: CopyRequest) -> CopyReply:
    registers, room = self._copied_registers(store, request.registers)
    return CopyReply(registers, self._copied_items(store, request.items, room, bool(registers)))


def joined_without_pull(
    record: SlotRecord | None, slot: int, decided: Configuration, me: Identifier
) -> tuple[SlotRecord, Keep]:
    if record is not None and record.votes(decided.epoch - 1):
        return activated(SlotRecord(slot, decided, State.LEARN, True)), Keep.SETTLE
    return SlotRecord(slot, decided, State.LEARN, False), Keep.CLEAR


def one_is_a_majority(configuration: Configuration) -> int:
    return 1


def agreed_at_once(self: Coordinator, configuration: Configuration, answers: Any, newest: Any) -> bool:
    return True


async def slow_read(self: Coordinator, key: Any, timeout: float) -> Any:
    return await self.change(key, lambda value: value, b"", timeout)


class ForgettingWorld(GovernedWorld):
    """A node whose disk is lost in a crash comes back with an empty one and its old name."""

    def crash(self, number: int) -> None:
        machine = self.machines[number]
        forgets = machine.life is not None and self.keeps_majorities(machine.node)
        super().crash(number)
        if forgets:
            self.machines[number] = forgetful = Machine(machine.node, MemoryStore(self.scene.slots), founder=False)
            forgetful.lives = machine.lives


class RollingBackWorld(GovernedWorld):
    """A node that crashes comes back with the disk of its last start, as from an image of a virtual machine."""

    def start(self, number: int) -> None:
        machine = self.machines[number]
        if machine.life is None:
            self.images[machine.node] = machine.store.copy()
        super().start(number)

    def crash(self, number: int) -> None:
        super().crash(number)
        machine = self.machines[number]
        if machine.node in self.images:
            machine.store = self.images[machine.node].copy()

    @property
    def images(self) -> dict[Identifier, MemoryStore]:
        images: dict[Identifier, MemoryStore] = vars(self).setdefault("_images", {})
        return images


def stored_by_one(self: sets.SetCoordinator, replies: Any, configuration: Configuration) -> bool:
    return any(reply is not None and reply.status is Status.OK for reply in replies.values())


def set_of_sealed(self: SetKeeper, store: Store, point: Identifier, epoch: int) -> SetReply | None:
    record = self._ground.record(store, self._ground.slot_of(point))
    if record is not None and record.votes(epoch):
        return None
    return SetReply(Status.WRONG_EPOCH, None if record is None else record.newest)


def buried_when_marked(self: SetKeeper, store: Store, request: MarkRequest) -> SetReply:
    """The tombstone of one member spreads before a majority took the removal."""
    reply = mark(self, store, request)
    if reply.status is Status.OK:
        for item_id in request.ids:
            held = store.item(request.point, item_id)
            if held is not None and not held.state.is_tombstone:
                store.put_item(request.point, held.buried(ItemState.ACKNOWLEDGED))
    return reply


mark = SetKeeper.mark


def first_list_only(replies: Any, after: bytes) -> Any:
    first = next(iter(replies.items()))
    return union(dict([first]), after)


union = sets._union


def any_key(self: SetKeeper, store: Store, point: Identifier, kind: int) -> bytes | None:
    """Fences are not tested."""
    return None


def accepted_only(
    register: Register, ballot: Ballot, content: Versioned, following: Ballot | None = None
) -> Register | None:
    """A change in one round trip relies on a promise that nobody gave."""
    return None if ballot < register.promised else Register(ballot, ballot, content)


def add_under_any_key(self: SetKeeper, store: Store, request: AddRequest, now: float, events: Any) -> SetReply:
    """An envelope under a retired key is kept as if it were under the current one."""
    value = self._value(store, request.point, KIND_MAILKEY)
    current = b"" if value is None else self._ground.formats.key_id_of(value)
    return add(self, store, replace(request, fence=current), now, events)


add = SetKeeper.add


async def nothing_left(self: logins.Account, agent: logins.Agent) -> bool:
    """A key is erased before the mail under it was fetched."""
    return True


def never_replaced(self: SetKeeper, store: Store, point: Identifier, fence: int) -> bool:
    return False


def compares_nothing(self: logins.Compare, old: bytes | None) -> bytes:
    return self.new


def accepts_anything(register: Register, ballot: Ballot, content: Versioned) -> Register:
    return Register(max(ballot, register.promised), ballot, content)


def forgets_accepted(
    self: machines.Machines, driver: machines.Driver, node: Identifier, ballot: Any, members: Any
) -> None:
    nominated(self, driver, node, ballot, ())


nominated = machines.Machines._nominated


FEWER_FAULTS: Sequence[Change] = (
    (disk, "TORN", 0.0),
    (world, "SLOW_DISKS", 0.0),
    (world, "AUTHORITY", 0.0),
    (names, "POINTS", ()),
    (mail, "POINTS", ()),
)
"""For mutants that only one seed in thousands shows under all kinds of faults."""

NAMES = (
    Mutant("no epoch test", names.simulate, 50, (5,), [(Acceptor, "_other_epoch", any_epoch)]),
    Mutant("serves while sealed", names.simulate, 100, (5,), [(SlotRecord, "serves", serves_sealed), *FEWER_FAULTS]),
    Mutant(
        "never seals",
        names.simulate,
        100,
        (5,),
        [(inventories, "sealed", not_sealed), (inventories.Inventory, "copy", copy_unsealed), *FEWER_FAULTS],
    ),
    Mutant("disk lost, identity kept", names.simulate, 50, (5,), [(names, "GovernedWorld", ForgettingWorld)]),
    Mutant("disk rolled back", names.simulate, 50, (4,), [(names, "GovernedWorld", RollingBackWorld)]),
    Mutant("member skips its pull", names.simulate, 100, (7,), [(configurations, "_joined", joined_without_pull)]),
    Mutant(
        "pulls from one old member",
        names.simulate,
        1000,
        (320,),
        [(learning, "needed_sources", one_is_a_majority), *FEWER_FAULTS],
    ),
    Mutant(
        "failed conditions are not written back",
        names.simulate,
        500,
        (63,),
        [(Coordinator, "_is_agreed", agreed_at_once), (Coordinator, "read", slow_read), *FEWER_FAULTS],
    ),
)
PREPARED = (
    Mutant(
        "prepared ballots are not promised",
        names.simulate,
        500,
        (63,),
        [(acceptors, "accept", accepted_only), *FEWER_FAULTS],
    ),
)
MAIL = (
    Mutant("stored by one member", mail.simulate, 50, (10,), [(sets.SetCoordinator, "_has_majority", stored_by_one)]),
    Mutant("sealed member accepts items", mail.simulate, 100, (5,), [(SetKeeper, "_other_epoch", set_of_sealed)]),
    Mutant(
        "minority's tombstone spreads",
        mail.simulate,
        200,
        (46,),
        [(SetKeeper, "mark", buried_when_marked), *FEWER_FAULTS],
    ),
    Mutant("no union at fetch", mail.simulate, 50, (4,), [(sets, "_union", first_list_only), *FEWER_FAULTS]),
    Mutant(
        "no union at pull",
        mail.simulate,
        500,
        (203,),
        [(learning, "needed_sources", one_is_a_majority), *FEWER_FAULTS],
    ),
    Mutant("fences are not tested", mail.simulate, 50, (2,), [(SetKeeper, "_value", any_key)]),
    Mutant("disk lost, identity kept", mail.simulate, 50, (5,), [(mail, "GovernedWorld", ForgettingWorld)]),
)
SESSIONS = (
    Mutant("retired keys are accepted", logins.simulate, 50, (2,), [(SetKeeper, "add", add_under_any_key)]),
    Mutant(
        "key erased before its mail was fetched", logins.simulate, 50, (2,), [(logins.Account, "empty", nothing_left)]
    ),
    Mutant("replaced sessions are served", logins.simulate, 100, (21,), [(SetKeeper, "_is_replaced", never_replaced)]),
    Mutant(
        "logins compare nothing",
        logins.simulate,
        50,
        (1,),
        [
            (logins.Compare, "judge", compares_nothing),
            (logins, "FORMATS", replace(logins.FORMATS, validators={})),
        ],
    ),
)
MACHINES = (
    Mutant("serves while sealed", machines.simulate, 2000, (42,), [(SlotRecord, "serves", serves_sealed)]),
    Mutant("never seals", machines.simulate, 2000, (42,), [(machines, "sealed", not_sealed)]),
    Mutant("member skips its pull", machines.simulate, 2000, (32,), [(configurations, "_joined", joined_without_pull)]),
    Mutant(
        "pulls from one old member", machines.simulate, 2000, (1310,), [(machines, "needed_sources", one_is_a_majority)]
    ),
    Mutant("promises are not kept", machines.simulate, 2000, (7,), [(machines, "accept", accepts_anything)]),
    Mutant(
        "an accepted configuration is forgotten",
        machines.simulate,
        2000,
        (14,),
        [(machines.Machines, "_nominated", forgets_accepted)],
    ),
)
