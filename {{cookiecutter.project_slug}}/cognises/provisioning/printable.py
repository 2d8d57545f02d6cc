"""Text from AWS before it reaches a terminal: nothing in it may move the cursor or turn around."""

from __future__ import annotations

import unicodedata

# Cc control, Cf format (the bidirectional ones are here), Cs surrogates, Co private use,
# Zl and Zp line and paragraph separators.
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(text: str) -> str:
    """The text on one line, control and direction characters as escapes."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _ESCAPED
        else character
        for character in text
    )
