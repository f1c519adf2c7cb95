"""`twistd p2pchat-client`: options, and the service that is one person's agent."""

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import platformdirs

from p2pchat import settings
from p2pchat.client.program import PROGRAM, AgentService
from p2pchat.twistd import Program, TableOptions, give_up

MAX_THREADS = 2


class Options(TableOptions):
    """Every option of an agent; each has an environment variable and a key in the file of --config."""

    program = PROGRAM
    table = settings.CLIENT
    synopsis = "[options]"
    longdesc = "One person's p2pchat agent: it keeps their keys and history, and talks to the ring and to other agents."


def makeService(options: Options, reactor: Any = None) -> Program:
    """One agent; nothing happens before it is started."""
    if reactor is None:
        from twisted.internet import reactor
    home = options.chosen["home"] or Path(platformdirs.user_data_dir("p2pchat", appauthor=False))
    whole = Program(options, reactor)
    agent = AgentService(
        reactor,
        options.chosen,
        home,
        time.time,
        min(MAX_THREADS, os.cpu_count() or 1),
        whole.announce,
        partial(give_up, reactor, PROGRAM),
    )
    agent.setServiceParent(whole)
    return whole
