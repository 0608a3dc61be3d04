"""Anomalies as CSV: a line for each, with its drivers as JSON in one cell."""

from collections.abc import Iterable, Sequence

from fastapi import Response

from schemas.api.anomalies import AnomaliesView, AnomalyView
from services.query.http.csv import table_csv

_FIELDS = tuple(name for name in AnomalyView.model_fields if name not in ("group", "drivers"))


def anomalies_csv(view: AnomaliesView, names: Sequence[str], block: Iterable[str], **beside: object) -> Response:
    """`names` are those of all dimensions: empty for a group that is not by it. The `block` comes first."""
    content = view.model_dump()["anomalies"]
    lines = (
        [*(line["group"].get(name) for name in names), *(line[field] for field in _FIELDS), line["drivers"]]
        for line in content
    )
    return table_csv("anomalies", [*names, *_FIELDS, "drivers"], lines, block=block, **beside)
