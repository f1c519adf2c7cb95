"""What one connection may cost: sizes, calls at once, silence and times."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one connection.  `calls_out` stays below `calls_in`, so that bursts wait at the caller."""

    box_bytes: int = 1024 * 1024
    """Largest box, in bytes on the wire."""
    box_keys: int = 64
    calls_in: int = 256
    """Calls of the other end that may be under way; more are answered with Busy."""
    calls_out: int = 192
    """Our own calls that may be under way; more wait in a queue."""
    queued_calls: int = 4096
    """Length of that queue; more fail with Busy."""
    unsent_bytes: int = 8 * 1024 * 1024
    """What we keep for somebody who does not read."""
    handshake_seconds: float = 10.0
    """From the connection to the end of HELLO."""
    ping_seconds: float | None = 3.0
    """Silence after which we ask whether the other end is there; None: never."""
    quiet_seconds: float = 60.0
    """The same while we wait for no answer: then nothing is lost if the other end is gone."""
    unused_seconds: float = 600.0
    """Nodes close a link over which nobody called for so long; a new one costs as much as keeping it half an hour."""
    silent_pings: int = 3
    """Pings without any answer after which the connection is given up."""
    answer_seconds: float | None = 120.0
    """How long a responder may take before the caller is told that it failed; None: as long as it likes."""


LIMITS = Limits()
CONTROL_LIMITS = replace(LIMITS, ping_seconds=None, answer_seconds=None)
"""For the UNIX sockets of one's own machine: a suspended screen is not a lost one."""
