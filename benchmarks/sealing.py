"""What sealing costs in time of one core: the first message of a pair, and messages per second within a conversation.

python -m benchmarks.sealing [--messages N] [--bytes N] [--json]
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pchat.crypto.envelope import Kind, Message, SealingKey
from p2pchat.crypto.identity import Identity
from p2pchat.crypto.opening import Opened, Opener
from p2pchat.crypto.primitives import hybrid_generate, hybrid_public
from p2pchat.crypto.sealing import HEADER_MESSAGES, Sealed, Sealer

FIRSTS = 30
RUNS = 5
TEXT = 1
T = TypeVar("T")


def main() -> None:
    """Seal from alice to bob and open there; medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=HEADER_MESSAGES, help="in one conversation (1000)")
    parser.add_argument("--bytes", type=int, default=100, help="of each text (100)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    pair = Pair()
    messages = [_message(number, options.bytes) for number in range(options.messages)]
    firsts = [pair.first(messages[0]) for _ in range(FIRSTS)]
    runs = [pair.conversation(messages) for _ in range(RUNS)]
    figures = {
        "first message, sealed, ms": statistics.median(each[0] for each in firsts),
        "first message, opened, ms": statistics.median(each[1] for each in firsts),
        "sealed per second": statistics.median(each[0] for each in runs),
        "opened per second": statistics.median(each[1] for each in runs),
        "Ed25519 alone, verified per second": verified(options.messages, options.bytes),
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<36} {value:10.2f}")


def verified(count: int, size: int) -> float:
    """What the signature of each opened message costs by itself: the bound for everything around it."""
    key, statement = Ed25519PrivateKey.generate(), os.urandom(size + 200)
    signature, public = key.sign(statement), key.public_key()
    _, spent = _timed(lambda: [public.verify(signature, statement) for _ in range(count)])
    return count / spent


class Pair:
    """Alice, who writes, and bob with a mail key."""

    def __init__(self) -> None:
        ring = os.urandom(32)
        self.alice, self.bob = Identity.generate("alice", ring), Identity.generate("bob", ring)
        self.private, key_id = hybrid_generate(), os.urandom(16)
        self.key = SealingKey(self.bob.public, Kind.MAIL, key_id, hybrid_public(self.private))

    def first(self, message: Message) -> tuple[float, float]:
        """Milliseconds to seal and to open, with nothing known on either side."""
        sealer, opener = self._ends()
        sealed, sealing = _timed(lambda: sealer.seal(self.key, message, 0.0))
        opening = _timed(lambda: self._open(opener, sealed))[1]
        return 1000 * sealing, 1000 * opening

    def conversation(self, messages: list[Message]) -> tuple[float, float]:
        """Messages per second sealed and opened, once the first one was."""
        sealer, opener = self._ends()
        self._open(opener, sealer.seal(self.key, messages[0], 0.0))
        sealed, sealing = _timed(lambda: [sealer.seal(self.key, each, 0.0) for each in messages[1:]])
        _, opening = _timed(lambda: [self._open(opener, each) for each in sealed])
        return (len(messages) - 1) / sealing, (len(messages) - 1) / opening

    def _ends(self) -> tuple[Sealer, Opener]:
        opener = Opener(self.bob)
        opener.add_key(Kind.MAIL, self.key.key_id, self.private)
        return Sealer(self.alice, 1, 1), opener

    def _open(self, opener: Opener, sealed: Sealed) -> Opened:
        opener.claim(sealed.header)
        return opener.open(sealed.header, sealed.message, self.alice.public)


def _message(number: int, size: int) -> Message:
    return Message(os.urandom(16), number + 1, None, TEXT, 1_790_000_000_000, os.urandom(size))


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


if __name__ == "__main__":
    main()
