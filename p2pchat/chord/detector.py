"""How long to wait for a node before we suspect it: mean and deviation of its own answers.

Source of the estimate: V. Jacobson, "Congestion Avoidance and Control", SIGCOMM 1988, appendix A.
"""

from dataclasses import dataclass

from p2pchat.identifiers import Identifier

LEAST_SECONDS = 0.05
MOST_SECONDS = 3.0
FIRST_SECONDS = 1.0
"""For a node that never answered yet."""
DEVIATIONS = 4
MEAN_WEIGHT = 1 / 8
DEVIATION_WEIGHT = 1 / 4


@dataclass(slots=True)
class _Estimate:
    mean: float
    deviation: float
    misses: int = 0


class Detector:
    """Time limits by node; seconds."""

    def __init__(self) -> None:
        self._estimates: dict[Identifier, _Estimate] = {}

    def answered(self, node: Identifier, seconds: float) -> None:
        """A node took so long to answer."""
        known = self._estimates.get(node)
        if known is None:
            self._estimates[node] = _Estimate(seconds, seconds / 2)
            return
        error = seconds - known.mean
        known.mean += error * MEAN_WEIGHT
        known.deviation += (abs(error) - known.deviation) * DEVIATION_WEIGHT
        known.misses = 0

    def missed(self, node: Identifier) -> None:
        """A node did not answer in time: wait twice as long next time."""
        known = self._estimates.get(node)
        if known is not None:
            known.misses += 1

    def knows(self, node: Identifier) -> bool:
        """Whether a node has answered since it was last dead."""
        return node in self._estimates

    def forget(self, node: Identifier) -> None:
        """A node died; when it returns it may be somewhere else."""
        self._estimates.pop(node, None)

    def limit(self, node: Identifier) -> float:
        """How long to wait for a node's answer."""
        known = self._estimates.get(node)
        if known is None:
            return FIRST_SECONDS
        expected: float = (known.mean + DEVIATIONS * known.deviation) * 2 ** min(known.misses, 10)
        return min(max(expected, LEAST_SECONDS), MOST_SECONDS)
