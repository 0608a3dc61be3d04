"""The seal beside every total and list of the HTTP API: until when it is complete, and how much of it has a price."""

from pydantic import Field

from schemas.api.requests import Timestamp, View
from schemas.seal import Seal, SealState


class SealView(View):
    """What is known of the completeness of a response."""

    state: SealState = Field(
        description="`complete`: nothing waits to be counted. `waiting`: events wait, or a process that may hold some "
        "is silent. `unknown`: the event log or the state database is unreachable"
    )
    complete_until: Timestamp | None = Field(
        description="Every event recorded before, which is when its response ended, is in the response; null when "
        "that is unknown"
    )
    events_waiting: int | None = Field(description="Recorded, of all organizations, and in no total yet")
    dead_lettered_events: int | None = Field(
        description="Events in the log's keeping that became no rows, of all organizations: they are in no total"
    )
    priced_request_share: float | None = Field(
        description="Of the requests in the response, those with a known cost; null when there are none, and where "
        "no costs are shown"
    )
    priced_token_share: float | None = Field(
        description="Of their known tokens, those of such requests; null without tokens"
    )
    reason: str = Field(description="Why it is not complete; empty when it is")


def seal_view(seal: Seal, *, priced_request_share: float | None, priced_token_share: float | None) -> SealView:
    """`seal` over data of which so much has a price."""
    return SealView(
        state=seal.state,
        complete_until=seal.complete_until,
        events_waiting=seal.events_waiting,
        dead_lettered_events=seal.dead_lettered_events,
        priced_request_share=priced_request_share,
        priced_token_share=priced_token_share,
        reason=seal.reason,
    )
