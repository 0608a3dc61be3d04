"""The seal under a table: until when its figures are complete, and how much of them has a price."""

from collections.abc import Iterator

from rich.text import Text

from schemas.api.seal import SealView
from schemas.seal import SealState
from services.cli.terminal import minute, percent, pluralize


def seal_lines(seal: SealView) -> Iterator[Text]:
    """A sentence for what is known, and one for what is in no total for good."""
    is_complete = seal.state is SealState.COMPLETE
    yield Text(f"  {_completeness(seal)}", style="" if is_complete else "yellow")
    if seal.priced_request_share is not None:
        tokens = "" if seal.priced_token_share is None else f" and {percent(seal.priced_token_share)} of tokens"
        yield Text(f"  Priced: {percent(seal.priced_request_share)} of requests{tokens}.")
    if seal.dead_lettered_events:
        events = pluralize(seal.dead_lettered_events, "event")
        yield Text(f"  {events} became no rows and are in no total: see `farebox dead-letters`.", style="yellow")


def _completeness(seal: SealView) -> str:
    if seal.state is SealState.UNKNOWN:
        return f"It is unknown whether this is complete: {seal.reason}."
    if seal.complete_until is None:
        return f"Not known to be complete: {_waiting(seal)} ({seal.reason})."
    until = f"{minute(seal.complete_until)}:{seal.complete_until:%S} (UTC)"
    if seal.state is SealState.COMPLETE:
        return f"Complete until {until}: no event waits to be counted."
    return f"Complete until {until} only: {_waiting(seal)} ({seal.reason})."


def _waiting(seal: SealView) -> str:
    waiting = seal.events_waiting or 0
    return f"{pluralize(waiting, 'event')} {'waits' if waiting == 1 else 'wait'} to be counted"
