"""Texts of clients, fit to stand in a line of a message."""

import re
import unicodedata
from typing import Final

MAX_VALUE: Final = 120  # characters of a user id, a property's value and the like
_NONE: Final = "(none)"
_SPACES: Final = re.compile(r"\s+")
# Control characters and surrogates have no place in text; format characters hide what a text says, or turn it around.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs"})


def one_line(text: str, limit: int = MAX_VALUE) -> str:
    """`text` on one line, without characters that are not seen, cut to `limit` characters; '(none)' for nothing."""
    text = text[: 4 * limit]  # what is far behind the cut is not looked at
    seen = "".join(" " if character.isspace() else character for character in text)
    seen = "".join(character for character in seen if unicodedata.category(character) not in _HIDDEN)
    line = _SPACES.sub(" ", seen).strip()
    return (line if len(line) <= limit else f"{line[: limit - 1]}…") or _NONE
