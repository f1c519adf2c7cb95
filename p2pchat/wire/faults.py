"""Errors on their way over the wire: their codes, their texts, and what does not fit."""

from typing import Any

from OpenSSL import SSL
from twisted.protocols import amp
from twisted.python.failure import Failure

from p2pchat.errors import Busy, DiskFull, InternalError, Misbehaved, NoQuorum, P2PChatError, TryElsewhere
from p2pchat.wire.boxes import MAX_VALUE_BYTES
from p2pchat.wire.codec import codec_of
from p2pchat.wire.limits import Limits

MAX_ERROR_CHARACTERS = 1000
ENVELOPE_BYTES = 512
"""Of a box, kept for the command's name and the call's number."""
ALWAYS: dict[bytes, type[P2PChatError]] = {
    each.code: each for each in (Busy, InternalError, Misbehaved, TryElsewhere, NoQuorum, DiskFull)
}
"""What any call may be answered with, whether its command declares it or not."""


def error_of(command: type[amp.Command], code: bytes, text: str) -> Exception:
    """The exception that an error code of a command stands for; its text is made fit for a screen."""
    kinds: dict[bytes, type[Exception]] = command.reverseErrors  # type: ignore[attr-defined]
    kind = kinds.get(code) or ALWAYS.get(code) or InternalError
    return kind(shown(text))


def shown(text: str) -> str:
    """What another end says, without anything that a terminal would obey, at most 1000 characters."""
    return "".join(each if each.isprintable() else " " for each in text[:MAX_ERROR_CHARACTERS])


def check_fits(box: amp.AmpBox, limits: Limits) -> amp.AmpBox:
    """The same box; ValueError where the other end would not take it."""
    for key, value in box.items():
        if len(value) > MAX_VALUE_BYTES:
            raise ValueError(f"{key!r} has {len(value)} bytes, one value holds {MAX_VALUE_BYTES}: page it")
    check_size(sum(len(key) + len(value) + 4 for key, value in box.items()), limits)
    return box


def check_size(size: int, limits: Limits) -> None:
    """ValueError where pairs of so many bytes, with the names of call and answer, are more than one box holds."""
    if size > limits.box_bytes - ENVELOPE_BYTES:
        raise ValueError(f"a box has more than {limits.box_bytes} bytes: page it")


def read_answer(command: type[amp.Command], box: amp.AmpBox, who: object) -> dict[str, Any]:
    """The values in an answer; Misbehaved where they cannot be read."""
    try:
        values: dict[str, Any] = codec_of(command).response.read(box, who)
    except Misbehaved:
        raise
    except Exception as error:  # an argument type may fail in its own way over what a stranger sends
        raise Misbehaved(f"{who} answered {command.__name__} in a way that cannot be read.") from error
    return values


def said(reason: Failure) -> str:
    """Why a connection is gone, in a few words."""
    error = reason.value
    if isinstance(error, SSL.Error):
        parts = error.args[0] if error.args and isinstance(error.args[0], list) else []
        return ", ".join(str(part[2]) for part in parts if len(part) > 2) or "TLS failed"
    return shown(reason.getErrorMessage()).rstrip(".")
