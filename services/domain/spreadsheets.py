"""Texts that a spreadsheet program would run as formulas: disarmed on their way out, rearmed on their way in."""

import re
from typing import Final

# What makes a spreadsheet program take a cell for a formula, in Japanese ones too. Plain numbers are none.
_FORMULA: Final = re.compile(r"[\s\x00-\x20]*[=+\-@＝＋－＠]|[\t\r]")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII)
_MARK: Final = "'"


def disarmed(text: str) -> str:
    """With a leading apostrophe where a spreadsheet program would run it."""
    return f"{_MARK}{text}" if _is_formula(text) else text


def rearmed(text: str) -> str:
    """What `disarmed` made `text` of."""
    inner = text.removeprefix(_MARK)
    return inner if _is_formula(inner) else text


def _is_formula(text: str) -> bool:
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)
