"""What the Chord papers report, to stand beside our own rows.

Stoica et al., "Chord", IEEE/ACM Transactions on Networking 11(1), 2003: V-B (load; Fig. 9 and its text), V-C (path
length, half the logarithm of the number of nodes), V-D (Table II), V-E (Table III; failures of 10,000 lookups).
"""

from math import log2
from typing import Any

TABLE2 = {
    0.0: {"path": 3.84, "timeouts": 0.0, "failed": 0},
    0.1: {"path": 4.03, "timeouts": 0.60, "failed": 0},
    0.2: {"path": 4.22, "timeouts": 1.17, "failed": 0},
    0.3: {"path": 4.44, "timeouts": 2.02, "failed": 0},
    0.4: {"path": 4.69, "timeouts": 3.23, "failed": 0},
    0.5: {"path": 5.09, "timeouts": 5.10, "failed": 0},
}
TABLE3 = {
    0.05: {"path": 3.90, "timeouts": 0.05, "failures": 0},
    0.10: {"path": 3.83, "timeouts": 0.11, "failures": 0},
    0.15: {"path": 3.84, "timeouts": 0.16, "failures": 2},
    0.20: {"path": 3.81, "timeouts": 0.23, "failures": 5},
    0.25: {"path": 3.83, "timeouts": 0.30, "failures": 6},
    0.30: {"path": 3.91, "timeouts": 0.34, "failures": 8},
    0.35: {"path": 3.94, "timeouts": 0.42, "failures": 16},
    0.40: {"path": 4.06, "timeouts": 0.46, "failures": 15},
}
LOAD = {1: {"p99": 4.8}, 20: {"p99": 1.6}}
"""By virtual nodes, as multiples of the mean, with 10,000 nodes."""


def beside(experiment: str, row: dict[str, Any]) -> dict[str, float]:
    """What the papers have for the run that `row` describes, by column; empty where they have nothing."""
    match experiment:
        case "paths":
            return {"path": log2(row["nodes"]) / 2}
        case "table2":
            return dict(TABLE2.get(row["p"], {}))
        case "table3":
            return dict(TABLE3.get(row["R"], {}))
        case "load":
            return dict(LOAD.get(row["virtual"], {}))
    return {}
