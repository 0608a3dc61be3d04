"""Value, laid out for people in a terminal or a file."""

from collections.abc import Iterator

from rich.text import Text

from schemas.api.value import ValuePage, ValueView
from services.cli.terminal import columns, day, minute, usd

_HEAD = ("Entry", "Amount", "For", "From", "To", "Given", "Source")


def value_lines(page: ValuePage, width: int) -> Iterator[Text]:
    """A line for each entry, and how many there are; when there are none, a sentence."""
    if not page.data:
        yield Text("No value was given here: farebox value import FILE.csv")
        return
    rows = [_HEAD, *((view.id, *_figures(view)) for view in page.data)]
    yield from columns(rows, width, needed=2)
    if page.has_more:
        yield Text(f"\n{len(page.data):,} of {page.total_rows:,} entries: pass a higher --limit, or --start and --end")


def _figures(view: ValueView) -> tuple[str, ...]:
    named = [view.user_id] if view.user_id else []
    named += [f"{name}={value}" for name, value in view.properties.items()]
    start, end = minute(view.start), minute(view.end)
    return usd(view.amount), ", ".join(named) or "all", start, end, day(view.given_at), view.source
