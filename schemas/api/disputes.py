"""Response of the HTTP API about reported costs beside those that we calculate."""

from pydantic import Field

from schemas.api.requests import MaybeUsd, Timestamp, View


class DisputedModel(View):
    """Requests of one model whose reported cost contradicts what our prices make of them."""

    provider: str
    model: str
    is_bill: bool = Field(description="The reported cost is the provider's own bill, and so the cost; else ours is")
    requests: int
    provider_cost_usd: MaybeUsd
    calculated_cost_usd: MaybeUsd
    cost_difference_usd: MaybeUsd = Field(description="Reported less calculated")
    example_request_ids: list[str] = Field(description="The latest few")


class DisputedCosts(View):
    """Reported and calculated costs of a period, over the requests with both; the most disputed requests first."""

    start: Timestamp
    end: Timestamp
    requests: int = Field(description="All of the period")
    compared_requests: int = Field(description="With a reported cost and a calculated one")
    disputed_requests: int = Field(description="Of these, those whose costs contradict each other")
    provider_cost_usd: MaybeUsd = Field(description="Of those compared; null when there are none")
    calculated_cost_usd: MaybeUsd
    cost_difference_usd: MaybeUsd = Field(description="Reported less calculated")
    models: list[DisputedModel]
    truncated: bool = Field(description="There are more models than are shown")
