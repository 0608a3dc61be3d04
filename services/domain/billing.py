"""What an exchange costs and why: priced, free, or unknown. Unknown is never zero, and zero is never a guess."""

import re
from typing import Final

from schemas.event import Ending, ExchangeEvent, RequestEvent, ResponseEvent
from schemas.price import Charge, PriceBook
from schemas.usage import Reading
from services.domain.charge import FREE, NO_USAGE, charge, partial

# What is sent here makes a provider keep, count or judge something; none of it is billed by the call.
_UNBILLED_PATH: Final = re.compile(
    r"/(?:files|uploads|moderations|vector_stores|count_tokens|input_tokens|tokenize|cancel)(?:/|$)|:countTokens$"
)


def charge_of(event: ExchangeEvent, model: str, reading: Reading, prices: PriceBook) -> Charge:
    """What the provider bills for `event`, whatever was served from a cache.

    Free: what generates nothing, what we refused, logged steps and error answers without usage. Unknown: no usage
    although something may have been generated, no price for the model, or figures that do not hold all that was used.
    """
    request, response = event.request, event.response
    if response.ending is Ending.REFUSED or not generates(request):
        return FREE
    if reading.usage is None:
        return FREE if request.step or _refused_by_provider(response, reading) else NO_USAGE
    price = prices.price_at(request.provider, model, request.created_at, reading.tier)
    if price is not None and not reading.complete:
        return partial(price)
    return charge(reading.usage, price)


def _refused_by_provider(response: ResponseEvent, reading: Reading) -> bool:
    """Callers that log a stream which broke off call it an error, but what came before the error was generated."""
    return (response.status or 0) >= 400 and (reading.failed or not reading.streamed)


def generates(request: RequestEvent) -> bool:
    """Whether a request makes a provider generate. Looking at an answer again does not, although it shows its usage."""
    return request.method.upper() == "POST" and not _UNBILLED_PATH.search(request.target_url)
