"""Which nodes cannot take slots over at present: they are passed over for a while, so that another one is chosen."""

from collections.abc import Iterable

from twisted.logger import Logger

from p2pchat.identifiers import Identifier, name

FIRST_SECONDS = 30.0
LONGEST_SECONDS = 600.0


class Newcomers:
    """Nodes that made no progress with copies, as this node saw it when it had members changed.

    The first time a node is passed over for 30 s, then for twice as long each time, 10 minutes at most, until it has
    come into step once.  Nobody else hears of it: another member may reach a node that this one does not.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._failed: dict[Identifier, tuple[int, float]] = {}
        """By node: how often in a row, and until when it is passed over."""

    def stalled(self, node: Identifier, now: float) -> None:
        """A node made no progress for as long as it may."""
        times, until = self._failed.get(node, (0, 0.0))
        if now < until:
            return
        seconds = min(FIRST_SECONDS * 2**times, LONGEST_SECONDS)
        self._failed[node] = times + 1, now + seconds
        self._log.warn(
            "node {node} makes no progress with copies of slots that it was to take over (failure {times}); for"
            " {seconds} s others are chosen. Look at its log, its disk and the network to it.",
            node=name(node),
            times=times + 1,
            seconds=round(seconds),
        )

    def came(self, nodes: Iterable[Identifier]) -> None:
        """These nodes have copied what they were asked for."""
        for node in nodes:
            if self._failed.pop(node, None) is not None:
                self._log.info("node {node} keeps up with copies of slots again", node=name(node))

    def passed_over(self, now: float) -> frozenset[Identifier]:
        """Who is not chosen at this time."""
        return frozenset(node for node, (_, until) in self._failed.items() if now < until)

    def forget(self, gone: Iterable[Identifier]) -> None:
        """Nodes that died: when they come back, they may try at once."""
        for node in gone:
            self._failed.pop(node, None)
