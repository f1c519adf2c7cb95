"""The arguments and answers of commands as bytes of boxes, and back: what amp.Command does, with less work a call."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from twisted.protocols import amp

from p2pchat.wire.boxes import END, LENGTH_BYTES, MAX_VALUE_BYTES, pair

ANSWER_HEAD = pair(amp.ANSWER, b"")[:-1]
"""What an answer begins with, up to the last byte of its tag's length."""
ASK_HEAD = pair(amp.ASK, b"")[:-1]


class Fields:
    """Declared arguments, in the order in which they go over the wire (which is Twisted's: sorted).

    Args:
        declared: `Command.arguments` or `Command.response`.
    """

    def __init__(self, declared: Sequence[tuple[bytes, amp.Argument]]) -> None:
        named = [(name, _python_name(name), argument) for name, argument in declared]
        self._read = tuple((*each, each[2].optional) for each in named)
        self._write = tuple(
            (pair(name, b"")[:-LENGTH_BYTES], name, word, argument, argument.optional)
            for name, word, argument in sorted(named, key=lambda each: each[0])
        )
        self._names = frozenset(word for _, word, _ in named)

    def check(self, values: dict[str, Any]) -> None:
        """InvalidSignature where a value has a name that is not declared."""
        if not self._names.issuperset(values):
            wrong = sorted(set(values) - self._names)
            raise amp.InvalidSignature(f"{wrong[0]} is not a valid argument")

    def write(self, values: dict[str, Any], who: Any) -> bytes:
        """Pairs of a box.  KeyError: one is missing.  ValueError: one does not fit; else what its type raises."""
        parts: list[bytes] = []
        for head, name, word, argument, optional in self._write:
            value = values.get(word) if optional else values[word]
            if optional and value is None:
                continue
            encoded: bytes = argument.toStringProto(value, who)
            if len(encoded) > MAX_VALUE_BYTES:
                pair(name, encoded)  # raises
            parts += (head, len(encoded).to_bytes(LENGTH_BYTES, "big"), encoded)
        return b"".join(parts)

    def read(self, box: amp.AmpBox, who: Any) -> dict[str, Any]:
        """The values in a box.  KeyError: one is missing; else what its type raises.  What is not declared is left."""
        values: dict[str, Any] = {}
        for name, word, argument, optional in self._read:
            encoded = box.get(name)
            if encoded is not None:
                values[word] = argument.fromStringProto(encoded, who)
            elif optional:
                values[word] = None
            else:
                raise KeyError(name)
        return values


@dataclass(frozen=True, slots=True)
class Codec:
    """One command on the wire."""

    command: type[amp.Command]
    named: bytes
    """The pair that names the command in a call."""
    arguments: Fields
    response: Fields
    errors: tuple[tuple[type[Exception], bytes], ...]
    """Declared errors with their codes; the first that fits counts."""

    def code_of(self, error: BaseException | None) -> bytes | None:
        """The code of an error that the command declares."""
        return next((code for kind, code in self.errors if isinstance(error, kind)), None)


@cache
def codec_of(command: type[amp.Command]) -> Codec:
    """The codec of a command; made once, as the command's declarations do not change."""
    errors = tuple(command.allErrors.items())  # type: ignore[attr-defined]
    named = pair(amp.COMMAND, command.commandName)
    return Codec(command, named, Fields(command.arguments), Fields(command.response), errors)


def question(tag: bytes, named: bytes, values: bytes) -> bytes:
    """The box of a call; `tag` has at most 255 bytes."""
    return b"%b%c%b%b%b%b" % (ASK_HEAD, len(tag), tag, named, values, END)


def answer(tag: bytes, values: bytes) -> bytes:
    """The box of an answer to the call with this tag."""
    if len(tag) > 255:
        return pair(amp.ANSWER, tag) + values + END
    return b"%b%c%b%b%b" % (ANSWER_HEAD, len(tag), tag, values, END)


def refusal(tag: bytes, code: bytes, text: str) -> bytes:
    """The box of an error that answers the call with this tag."""
    described = text.encode("utf-8", "replace")
    return b"".join([pair(amp.ERROR, tag), pair(amp.ERROR_CODE, code), pair(amp.ERROR_DESCRIPTION, described), END])


def _python_name(name: bytes) -> str:
    word = name.decode("ascii").replace("-", "_")
    return word.title() if word in amp.PYTHON_KEYWORDS else word
