"""In which order and when received texts are shown: a gap before a text holds it for two seconds at most."""

from dataclasses import dataclass, field

from p2pchat.chat.message import Line

HOLD_SECONDS = 2.0
MAX_HELD = 1000
"""Lines held for one author; beyond that nothing is held any more."""


@dataclass(slots=True)
class Display:
    """Texts on their way from the disk to the screen.

    They are on disk already, each once; this only keeps a text back while the one that its author wrote before it
    may still be under way.
    """

    _held: dict[str, list[tuple[float, Line]]] = field(default_factory=dict)

    def arrived(self, line: Line, gap: bool, now: float) -> list[Line]:
        """One text came; `gap`: the text before it is not here.  What may be shown now, in order."""
        waiting = self._held.setdefault(line.author, [])
        before = next((at for at, held in waiting if held.id == line.prev), now)
        waiting.append((now + HOLD_SECONDS if gap else before, line))
        waiting.sort(key=lambda held: held[1].seq)
        ready = self._ready(line.author, now)
        if len(waiting) > MAX_HELD:
            ready += self._flush(line.author)
        return ready

    def expired(self, now: float) -> list[Line]:
        """What was held for long enough, in the order of each author."""
        return [line for author in list(self._held) for line in self._release(author, now)]

    def next_at(self) -> float | None:
        """When the first hold ends."""
        return min((at for held in self._held.values() for at, _ in held), default=None)

    def _ready(self, author: str, now: float) -> list[Line]:
        """A text that closes the gap before held ones lets these go with it."""
        held = self._held[author]
        free: set[bytes] = set()
        for index, (at, line) in enumerate(held):
            if at <= now or line.prev in free:
                held[index] = (min(at, now), line)
                free.add(line.id)
        return self._release(author, now)

    def _release(self, author: str, now: float) -> list[Line]:
        """All up to the last one whose time has come: an earlier seq never waits behind a later one that is shown."""
        held = self._held[author]
        due = max((index for index, (at, _) in enumerate(held) if at <= now), default=-1)
        ready = [line for _, line in held[: due + 1]]
        del held[: due + 1]
        if not held:
            del self._held[author]
        return ready

    def _flush(self, author: str) -> list[Line]:
        return [line for _, line in self._held.pop(author, [])]
