"""What people see: texts unchanged, names that cannot steer a terminal, and figures in columns."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

V = TypeVar("V", bound=BaseModel)

_NARROWEST: Final = 40  # cells; what is narrower lets the terminal break the lines
_SHORTEST_NAME: Final = 14
_GAP: Final = "  "
_STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, direction, half a pair, ends of lines
_JOINERS: Final = frozenset("\u200c\u200d")  # of letters and of emoji


def console(*, stderr: bool = False) -> Console:
    """Standard output, or standard error. `[red]` in a text is five characters, and no colour."""
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    console.width = max(_NARROWEST, console.width)
    return console


def sanitize(kind: type[V], response: object) -> V:
    """A response of the query service as it may be shown: names come from clients, and may hold anything."""
    return kind.model_validate(_escaped(response))


def escape(text: str) -> str:
    """`text` with what would steer a terminal, or begin a new line, written out: \\x1b, \\n."""
    return "".join(character if _is_shown(character) else _written_out(character) for character in text)


def _escaped(response: object) -> Any:
    if isinstance(response, str):
        return escape(response)
    if isinstance(response, list):
        return [_escaped(each) for each in response]
    if isinstance(response, dict):
        return {_escaped(name): _escaped(each) for name, each in response.items()}
    return response


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in _STEERING or character in _JOINERS


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def compile_lines(lines: Iterable[Text], console: Console) -> None:
    """Sentences are broken between words, as far in as they begin; lines of figures are never cut."""
    for line in lines:
        indent = len(line.plain) - len(line.plain.lstrip(" "))
        parts = [line] if line.no_wrap else line[indent:].wrap(console, console.width - indent)
        for part in parts:
            part.rstrip()
            console.print(part if line.no_wrap else Text(" " * indent).append_text(part), soft_wrap=True)


def columns(rows: Sequence[Sequence[str]], width: int, *, needed: int = 1) -> list[Text]:
    """A line for each of `rows`: a name, and figures, of which all but the first `needed` may be left out.

    The first row is the head. Figures are whole. What does not fit in `width` cells is left out from the last figure
    on, and then names are cut.
    """
    sizes = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    name, figures = sizes[0], [len(_GAP) + size for size in sizes[1:]]
    shortest_name = min(name, _SHORTEST_NAME)
    while len(figures) > needed and sum(figures) + shortest_name > width:
        figures.pop()
    name = max(shortest_name, min(name, width - sum(figures)))
    head, *lines = [_line(row, name, figures) for row in rows]
    head.stylize("dim")
    return [head, *lines]


def _line(cells: Sequence[str], name_size: int, figure_sizes: Sequence[int]) -> Text:
    line = Text(cells[0], no_wrap=True)
    line.truncate(name_size, overflow="ellipsis", pad=True)
    for cell, size in zip(cells[1:], figure_sizes, strict=False):
        line.append(" " * (size - cell_len(cell)) + cell)
    return line


def usd(amount: Decimal | None) -> str:
    """Cents; below one cent as many digits as it takes to show that it is not nothing."""
    if amount is None:
        return "unknown"
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if 0 < size < Decimal("0.000001"):
        return f"{sign}<$0.000001"
    if 0 < size < Decimal("0.01"):
        return f"{sign}${size:.6f}"
    return f"{sign}${size:,.2f}"


def percent(share: float | None) -> str:
    """Never rounded to all of it or to nothing; empty when there is none."""
    if share is None:
        return ""
    if 0 < share < 0.01:
        return "<1%"
    return f"{share:.0%}" if share <= 0.99 or share == 1 else f"{int(share * 1000) / 10}%"


def day(when: date) -> str:
    """The day, of a timestamp too."""
    return f"{when:%-d %b %Y}"


def minute(when: datetime) -> str:
    """The timestamp without its zone, which is always UTC."""
    return f"{when:%-d %b %Y %H:%M}"


def pluralize(count: int, thing: str) -> str:
    return f"{count:,} {thing}" + ("" if count == 1 else "s")
