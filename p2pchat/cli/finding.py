"""What a check of the doctor found: fine, doubtful or broken, and what to do about it."""

from dataclasses import dataclass

OK, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Attributes:
        check: what was looked at: port, multicast, certificate, clock, disk, database, ring.
        state: OK, WARNING or FAILED.
        text: what is so.
        remedy: what to do; empty when all is well.
    """

    check: str
    state: str
    text: str
    remedy: str = ""


def fine(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, OK, text)


def doubtful(check: str, text: str, remedy: str) -> Finding:
    """It works, but not for long or not for all."""
    return Finding(check, WARNING, text, remedy)


def broken(check: str, text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(check, FAILED, text, remedy)
