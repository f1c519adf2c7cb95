"""Emoji by name, for completion: what Unicode calls them, and the short names that people are used to."""

import unicodedata

RANGES = ((0x2600, 0x27BF), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF), (0x1FA70, 0x1FAFF))
"""Blocks of Unicode in which emoji stand."""

MAX_OFFERS = 20

SHORT = {
    "+1": "👍",
    "-1": "👎",
    "smile": "😄",
    "grin": "😁",
    "joy": "😂",
    "wink": "😉",
    "blush": "😊",
    "heart": "❤️",
    "cry": "😢",
    "sob": "😭",
    "thinking": "🤔",
    "shrug": "🤷",
    "wave": "👋",
    "clap": "👏",
    "ok": "👌",
    "pray": "🙏",
    "tada": "🎉",
    "fire": "🔥",
    "rocket": "🚀",
    "eyes": "👀",
    "coffee": "☕",
    "bug": "🐛",
    "100": "💯",
    "check": "✅",
    "x": "❌",
}


class Emoji:
    """All names, gathered when the first one is asked for: it takes some milliseconds."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def named(self, beginning: str) -> list[str]:
        """Emoji whose name begins so, those with short names first; a whole word in a name does as well."""
        if not self._names:
            self._names = {**SHORT, **_of_unicode()}
        typed = beginning.lower()
        first = [sign for name, sign in self._names.items() if name.startswith(typed)]
        inside = [sign for name, sign in self._names.items() if f"_{typed}" in name]
        return list(dict.fromkeys([*first, *inside]))[:MAX_OFFERS]


def _of_unicode() -> dict[str, str]:
    found = {}
    for start, end in RANGES:
        for code in range(start, end + 1):
            name = unicodedata.name(chr(code), "")
            if name and unicodedata.category(chr(code)) == "So":
                found[name.lower().replace(" ", "_").replace("-", "_")] = chr(code)
    return found
