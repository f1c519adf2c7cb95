"""QR codes as text: two modules to a character, so that a phone reads digits that two people would compare by eye."""

import segno

BORDER = 2
"""Light modules around the code; readers want some."""

_BLOCKS = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


def lines(text: str) -> list[str]:
    """Rows of half blocks, dark modules in the foreground: to be shown black on white."""
    rows = [[int(bool(module)) for module in row] for row in segno.make(text, error="m").matrix_iter(border=BORDER)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs]
