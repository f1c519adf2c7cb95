"""`twistd p2pchat-server`: options, and the service that is one node."""

import os
import time
from functools import partial
from random import Random
from typing import Any

import platformdirs

from p2pchat import settings
from p2pchat.server.node import PROGRAM, NodeService
from p2pchat.twistd import Program, TableOptions, give_up

MAX_THREADS = 4


class Options(TableOptions):
    """Every option of a node; each has an environment variable and a key in the file of --config."""

    program = PROGRAM
    table = settings.SERVER
    synopsis = "[options]"
    longdesc = "A node of a p2pchat ring: it keeps accounts and mail together with the other nodes."


def makeService(options: Options, reactor: Any = None) -> Program:
    """One node; nothing happens before it is started."""
    if reactor is None:
        from twisted.internet import reactor
    folder = options.chosen["data"] or platformdirs.user_data_path("p2pchat", appauthor=False)
    whole = Program(options, reactor)
    node = NodeService(
        reactor,
        options.chosen,
        folder,
        time.time,
        Random(),
        min(MAX_THREADS, os.cpu_count() or 1),
        whole.announce,
        partial(give_up, reactor, PROGRAM),
    )
    node.setServiceParent(whole)
    return whole
