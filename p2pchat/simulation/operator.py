"""The operator of a simulated ring that lost a majority: runs the command until it succeeds, at whatever node is up."""

from twisted.python.failure import Failure

from p2pchat.errors import P2PChatError
from p2pchat.server.succeeding import Succeeding
from p2pchat.simulation.governed import GovernedWorld
from p2pchat.simulation.world import Life

PAUSE_SECONDS = 1.0
"""Before the command is run again."""


class Operator:
    """Gives up whatever disks are lost when the command is run."""

    def __init__(self, world: GovernedWorld) -> None:
        self._world = world
        self._chance = world.stream("operator")

    def give_up(self) -> None:
        """Run `ring evict --lost-majority`, and again if it fails."""
        living = [life for life in self._world.living() if life.belonging is not None]
        if not living:
            self._again()
            return
        life = self._chance.choice(living)
        self._world.network.note("give up", life.node)
        life.ask(self._run(life)).addErrback(self._failed)

    def _failed(self, why: Failure) -> None:
        why.trap(P2PChatError)
        self._again()

    def _again(self) -> None:
        clock = self._world.clock
        clock.at(clock.seconds() + PAUSE_SECONDS, self.give_up)

    async def _run(self, life: Life) -> None:
        authority, belonging = self._world.authority, life.belonging
        if authority is None or belonging is None:
            raise AssertionError("this run has no authority")
        authority.losses = lambda: belonging.survey.losses
        lost = [authority.named(node) for node in sorted(self._world.lost)]
        done = await Succeeding(authority, lost, belonging.operate, life.time.now()).run()
        empty, doubtful = len(authority.losses().empty), len(authority.losses().doubtful)
        if (done.empty, done.doubtful) != (empty, doubtful):
            raise AssertionError("the command counts other slots than the node that drafted the plan")
