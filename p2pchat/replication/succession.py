"""One node's share in the change to a new generation: stop for good, report, and adopt what was planned."""

from collections.abc import Callable

from p2pchat.replication.configuration import Configuration, State, sealed
from p2pchat.replication.generation import Held, Plan, Report
from p2pchat.replication.ground import Event, Ground
from p2pchat.replication.store import Store
from p2pchat.replication.turns import Turns


class Succession:
    """Changes this node's store; the operator's node asks every survivor.

    Args:
        turns: runs a turn of this node's own member.
        learn: told of configurations.
    """

    def __init__(self, ground: Ground, turns: Turns, learn: Callable[[int, Configuration], object]) -> None:
        self._ground, self._turns, self._learn = ground, turns, learn

    async def seal(self, generation: int) -> Report:
        """Stop serving every generation before this one, durably; what this node has."""

        def turn(store: Store, events: list[Event]) -> Report:
            store.put_floor(max(generation, store.floor()))
            groups: dict[tuple[Configuration, int, State], list[int]] = {}
            for slot in range(self._ground.slots):
                record = self._ground.record(store, slot)
                if record is None:
                    continue
                if record.state is State.ACTIVE:
                    record = sealed(record)
                    self._ground.put(store, record, events)
                stands = (record.newest, record.configuration.epoch, record.state)
                groups.setdefault(stands, []).append(slot)
            return Report(tuple(Held(*stands, tuple(slots)) for stands, slots in groups.items()))

        return await self._turns(turn)

    async def adopt(self, plan: Plan) -> None:
        """Go on as planned; doing it again changes nothing."""

        def turn(store: Store, events: list[Event]) -> None:
            store.put_floor(max(plan.generation, store.floor()))
            for group in plan.groups:
                for slot in group.slots:
                    self._ground.adopt(store, slot, group.configuration, events, is_sure=True)

        await self._turns(turn)
        for group in plan.groups:
            for slot in group.slots:
                self._learn(slot, group.configuration)
