"""Chooses how hosts are made: as containers where an engine and a base image are there, as namespaces otherwise.

HOSTS=containers or HOSTS=namespaces in the environment chooses itself.
"""

import os
from functools import cache

from tests.cluster import containers, namespaces
from tests.cluster.containers import Containers
from tests.cluster.hosts import Hosts
from tests.cluster.namespaces import Namespaces

CHOICE = os.environ.get("HOSTS", "")
DRIVERS = {"containers": (Containers, containers.missing), "namespaces": (Namespaces, namespaces.missing)}


@cache
def reasons() -> dict[str, str]:
    """Of the drivers that may be used, why each cannot; empty where it can."""
    if CHOICE and CHOICE not in DRIVERS:
        return {"HOSTS": f"HOSTS is {CHOICE}, and may be {' or '.join(DRIVERS)}"}
    return {name: missing() for name, (_, missing) in DRIVERS.items() if CHOICE in ("", name)}


def missing() -> str:
    """Why no hosts can be made here; empty if they can."""
    return "; ".join(reasons().values()) if all(reasons().values()) else ""


def chosen() -> str:
    """The first kind that can be made."""
    return next(name for name, reason in reasons().items() if not reason)


def clocks_missing() -> str:
    """Why no host can have a clock of its own; empty if it can."""
    return namespaces.clocks_missing() if not missing() and chosen() == "namespaces" else ""


def hosts() -> Hosts:
    """Hosts of that kind."""
    return DRIVERS[chosen()][0]()
