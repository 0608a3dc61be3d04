"""The routes of savings."""

from fastapi import APIRouter

from schemas.api.envelopes import WarnedEnvelope
from schemas.api.savings import PromptCacheView, RepeatsView, WhatIfView
from services.query.http.csv import CSV_RESPONSE
from services.query.http.error_docs import WITH_BODY
from services.query.http.routing import authenticated_router
from services.query.savings.prompt_cache import savings_of_prompt_caches
from services.query.savings.repeats import savings_of_repeats
from services.query.savings.what_if import savings_at_other_prices


def savings_router() -> APIRouter:
    router = authenticated_router("/v1/savings")
    documented = WITH_BODY | CSV_RESPONSE
    router.post("/repeats", response_model=WarnedEnvelope[RepeatsView], responses=documented)(savings_of_repeats)
    router.post("/prompt-cache", response_model=WarnedEnvelope[PromptCacheView], responses=documented)(
        savings_of_prompt_caches
    )
    router.post("/what-if", response_model=WarnedEnvelope[WhatIfView], responses=documented)(savings_at_other_prices)
    return router
