"""What was used, by everything that decides what it would cost elsewhere."""

from collections.abc import Sequence
from typing import Final

from schemas.statement import Statement
from schemas.tables import REQUEST_RESPONSE
from schemas.usage import USAGE_CLASSES
from services.sql.compile import compile_dimension
from services.sql.filters import compile_filter
from services.sql.nodes import Report
from services.sql.savings.parts import PRICE, SEVERAL_MODELS, compile_parts, context_tier
from services.sql.scope import Scope, from_rows

# What was charged for what is known to have been used. The rest of the requests is one part.
_COMPARABLE: Final = (
    "cost_usd IS NOT NULL AND usage_source IN ('provider', 'drained', 'request') AND outcome != 'cached'"
    f" AND NOT usage_mismatch AND NOT usage_incomplete AND NOT {SEVERAL_MODELS}"
)
# Which classes were used, so that all requests of a part need the same prices.
_CLASSES: Final = " + ".join(f"({name} > 0) * {1 << place}" for place, name in enumerate(USAGE_CLASSES))
KEYS: Final = ("comparable", "seller", "billed_model", "price", "tier", "context", "classes")
FIGURES: Final = ("requests", "cost_usd", *USAGE_CLASSES)


def compile_usage(report: Report, edges: Sequence[int]) -> Statement:
    """Parts of each group by `KEYS`, with the sums `FIGURES` and the latest request, `last`.

    `context` is how many of the `edges` the prompts exceed. The report's limit is one of parts.
    """
    scope = Scope(report.organization_id, report.where)
    names = [f"d{position}" for position in range(len(report.by))]
    dimensions = [f"{compile_dimension(by, scope)} AS {name}" for by, name in zip(report.by, names, strict=True)]
    keys = [
        f"({_COMPARABLE}) AS comparable",
        *(
            f"if(comparable, {sql}, {nothing}) AS {name}"
            for name, sql, nothing in (
                ("seller", "toString(provider)", "''"),
                ("billed_model", "toString(model)", "''"),
                ("price", f"toString({PRICE})", "''"),
                ("tier", "toString(service_tier)", "''"),
                ("context", f"toUInt8({context_tier(edges, scope)})", "0"),
                ("classes", f"toUInt32({_CLASSES})", "0"),
            )
        ),
    ]
    rows = from_rows(REQUEST_RESPONSE, compile_filter(report.where, scope), scope)
    needed = ("cost_usd AS cost", "request_created_at AS came", *(f"{name} AS u_{name}" for name in USAGE_CLASSES))
    sums = {
        "requests": "count()",
        "cost_usd": "ifNull(sum(cost), 0)",
        "last": "max(came)",
        **{name: f"sum(u_{name})" for name in USAGE_CLASSES},
    }
    found = f"FROM (SELECT {', '.join((*dimensions, *keys, *needed))} {rows})"
    return compile_parts(found, names, KEYS, sums, "ifNull(sum(cost), 0)", report.limit, scope)
