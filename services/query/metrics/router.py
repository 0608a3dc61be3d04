"""The routes of metrics, of scores in time and of the response cache."""

from fastapi import APIRouter

from schemas.api.envelopes import WarnedEnvelope
from schemas.api.metrics import (
    CachedRequest,
    CostFigure,
    CountInTime,
    CountryMetrics,
    ModelMetrics,
    ProviderMetrics,
    QuantilesInTime,
    SavedTime,
    SavedUsd,
    TokensPerRequest,
)
from schemas.api.scores import ScoreInTime
from services.query.http.error_docs import WITH_BODY
from services.query.http.routing import authenticated_router
from services.query.metrics.cache import time_saved, top_requests, total_hits, total_savings
from services.query.metrics.figures import (
    FIGURES,
    figure_of,
    request_count,
    tokens_per_request,
    total_cost,
    total_threats,
)
from services.query.metrics.over_time import SERIES, cache_hits_over_time, quantiles, series_of
from services.query.metrics.scores import scores_over_time
from services.query.metrics.used import countries, models, providers


def metrics_router() -> APIRouter:
    router = authenticated_router("/v1/metrics")
    for name, measure in FIGURES.items():
        router.post(f"/{name}", name=name, response_model=WarnedEnvelope[float | None], responses=WITH_BODY)(
            figure_of(measure)
        )
    for name, series in SERIES.items():
        shape = WarnedEnvelope[list[series.view]]  # type: ignore[name-defined]  # it is a class
        router.post(f"/{name}", name=name, response_model=shape, responses=WITH_BODY)(series_of(series))
    router.post("/totalCost", response_model=CostFigure, responses=WITH_BODY)(total_cost)
    router.post("/totalThreats", response_model=WarnedEnvelope[int], responses=WITH_BODY)(total_threats)
    per_request = WarnedEnvelope[TokensPerRequest]
    router.post("/averageTokensPerRequest", response_model=per_request, responses=WITH_BODY)(tokens_per_request)
    router.post("/requestCount", response_model=WarnedEnvelope[int], responses=WITH_BODY)(request_count)
    router.post("/models", response_model=WarnedEnvelope[list[ModelMetrics]], responses=WITH_BODY)(models)
    router.post("/providers", response_model=WarnedEnvelope[list[ProviderMetrics]], responses=WITH_BODY)(providers)
    router.post("/country", response_model=WarnedEnvelope[list[CountryMetrics]], responses=WITH_BODY)(countries)
    router.post("/quantiles", response_model=WarnedEnvelope[list[QuantilesInTime]], responses=WITH_BODY)(quantiles)
    return router


def scores_router() -> APIRouter:
    router = authenticated_router("/v1/dashboard")
    in_time = WarnedEnvelope[list[ScoreInTime]]
    router.post("/scores/query", response_model=in_time, responses=WITH_BODY)(scores_over_time)
    return router


def cache_router() -> APIRouter:
    router = authenticated_router("/api/cache")
    in_time = WarnedEnvelope[list[CountInTime]]
    router.post("/total", response_model=WarnedEnvelope[int], responses=WITH_BODY)(total_hits)
    router.post("/total_savings", response_model=SavedUsd, responses=WITH_BODY)(total_savings)
    router.post("/time_saved", response_model=SavedTime, responses=WITH_BODY)(time_saved)
    router.post("/requests", response_model=WarnedEnvelope[list[CachedRequest]], responses=WITH_BODY)(top_requests)
    router.post("/cacheHitsOverTime", response_model=in_time, responses=WITH_BODY)(cache_hits_over_time)
    return router
