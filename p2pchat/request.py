"""The id of the request that is being served: it goes along with every call that the request leads to.

It travels in AMP boxes beside the arguments, where a program that does not know it looks away; logs of agent and nodes
name it.  It is random, names nobody and says nothing.  Within a program it follows the coroutines of a request, because
Twisted runs each in the context in which it was begun; that is why it is a context variable and no argument.
"""

import re
from contextvars import ContextVar
from random import Random

from twisted.protocols import amp

KEY = b"_request"
"""Beside the arguments in a box."""
DIGITS = 16
_FORM = re.compile(rb"[0-9a-f]{16}")

_current: ContextVar[str] = ContextVar("p2pchat request", default="")


def current() -> str:
    """The id of what is being done now; empty where nothing asked for it."""
    return _current.get()


def begin(chance: Random) -> str:
    """A new request starts in this context; its id, 16 hex digits."""
    identity = f"{chance.getrandbits(4 * DIGITS):0{DIGITS}x}"
    _current.set(identity)
    return identity


def resume(box: amp.AmpBox) -> None:
    """What this context does is done for the request that a call names; what is no id is as none."""
    said = box.get(KEY, b"")
    _current.set(said.decode("ascii") if _FORM.fullmatch(said) else "")


def mark(box: amp.AmpBox) -> None:
    """Name the request in a call of ours."""
    if identity := _current.get():
        box[KEY] = identity.encode("ascii")
