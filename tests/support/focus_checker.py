"""Checks rows of cost and usage against the rules of FOCUS 1.4, as its specification states them: a list of violations.

Columns are checked for presence, type, nullability and allowed values, in any order; then rows and rows together for
what their columns say of each other. Source: https://focus.finops.org/focus-specification/
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

STRING, DECIMAL, TIME, JSON = "string", "decimal", "time", "json"
MANDATORY, CONDITIONAL, RECOMMENDED = "mandatory", "conditional", "recommended"

_DECIMAL = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_CUSTOM = re.compile(r"x_[A-Z][A-Za-z0-9]*", re.ASCII)
_UNIT = re.compile(r"(\d+ )?[A-Z][A-Za-z]*(-[A-Z][A-Za-z]*)?(/(\d+ )?[A-Z][A-Za-z]*)?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_FORMS = {
    DECIMAL: (_DECIMAL, "plain decimal"),
    TIME: (_TIME, "timestamp in UTC"),
    "currency": (_CURRENCY, "currency"),
    "unit": (_UNIT, "unit"),
}

SUBCATEGORIES = {
    "AI Platforms",
    "Bots",
    "Generative AI",
    "Machine Learning",
    "Natural Language Processing",
    "Other (AI and Machine Learning)",
}
SKU_PROPERTIES = {
    *("CoreCount", "DiskMaxIops", "DiskSpace", "DiskType", "GpuCount", "InstanceType", "InstanceSeries", "MemorySize"),
    *("ModelDeveloper", "ModelFamily", "ModelId", "ModelVersion", "NetworkMaxIops", "NetworkMaxThroughput"),
    *("OperatingSystem", "Redundancy", "StorageClass"),
}


@dataclass(frozen=True)
class Column:
    level: str
    kind: str
    nullable: bool = True
    allowed: frozenset[str] = frozenset()


def _one_of(level: str, *values: str, nullable: bool = False) -> Column:
    return Column(level, STRING, nullable, frozenset(values))


COLUMNS: dict[str, Column] = {
    "BilledCost": Column(MANDATORY, DECIMAL, False),
    "BillingAccountId": Column(MANDATORY, STRING, False),
    "BillingAccountName": Column(MANDATORY, STRING),
    "BillingAccountType": Column(CONDITIONAL, STRING, False),
    "BillingCurrency": Column(MANDATORY, STRING, False),
    "BillingPeriodEnd": Column(MANDATORY, TIME, False),
    "BillingPeriodStart": Column(MANDATORY, TIME, False),
    "ChargeCategory": _one_of(MANDATORY, "Usage", "Purchase", "Tax", "Credit", "Adjustment"),
    "ChargeClass": _one_of(MANDATORY, "Correction", nullable=True),
    "ChargeDescription": Column(MANDATORY, STRING),
    "ChargeFrequency": _one_of(RECOMMENDED, "One-Time", "Recurring", "Usage-Based"),
    "ChargePeriodEnd": Column(MANDATORY, TIME, False),
    "ChargePeriodStart": Column(MANDATORY, TIME, False),
    "ConsumedQuantity": Column(CONDITIONAL, DECIMAL),
    "ConsumedUnit": Column(CONDITIONAL, STRING),
    "ContractedCost": Column(MANDATORY, DECIMAL, False),
    "ContractedUnitPrice": Column(CONDITIONAL, DECIMAL),
    "EffectiveCost": Column(MANDATORY, DECIMAL, False),
    "HostProviderName": Column(MANDATORY, STRING, False),
    "InvoiceDetailId": Column(CONDITIONAL, STRING),
    "InvoiceId": Column(CONDITIONAL, STRING),
    "InvoiceIssuerName": Column(MANDATORY, STRING, False),
    "ListCost": Column(MANDATORY, DECIMAL, False),
    "ListUnitPrice": Column(CONDITIONAL, DECIMAL),
    "PricingCategory": _one_of(CONDITIONAL, "Standard", "Dynamic", "Committed", "Other", nullable=True),
    "PricingQuantity": Column(MANDATORY, DECIMAL),
    "PricingUnit": Column(MANDATORY, STRING),
    "RegionId": Column(CONDITIONAL, STRING),
    "RegionName": Column(CONDITIONAL, STRING),
    "ResourceId": Column(CONDITIONAL, STRING),
    "ResourceName": Column(CONDITIONAL, STRING),
    "ResourceType": Column(CONDITIONAL, STRING),
    "ServiceCategory": _one_of(MANDATORY, "AI and Machine Learning"),  # of all those that there are, ours
    "ServiceName": Column(MANDATORY, STRING, False),
    "ServiceProviderName": Column(MANDATORY, STRING, False),
    "ServiceSubcategory": _one_of(RECOMMENDED, *SUBCATEGORIES),
    "SkuId": Column(CONDITIONAL, STRING),
    "SkuMeter": Column(CONDITIONAL, STRING),
    "SkuPriceDetails": Column(CONDITIONAL, JSON),
    "SkuPriceId": Column(CONDITIONAL, STRING),
    "SubAccountId": Column(CONDITIONAL, STRING),
    "SubAccountName": Column(CONDITIONAL, STRING),
    "SubAccountType": Column(CONDITIONAL, STRING),
    "Tags": Column(CONDITIONAL, JSON),
}
# A charge for usage has all of these, and one without a SKU price has none of them.
_OF_USAGE = (
    "SkuId",
    "SkuPriceId",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
)
_OF_SKU_PRICE = (
    "SkuPriceDetails",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
)

Row = Mapping[str, str]  # of a CSV file: '' is null


def violations(rows: Sequence[Row]) -> list[str]:
    """What of `rows` breaks a rule, in words; none when all is as it must be."""
    of_header = list(_of_header(list(rows[0]) if rows else list(COLUMNS)))
    return of_header or [*_of_rows(rows), *_of_skus(rows)]


def _of_header(names: Sequence[str]) -> Iterator[str]:
    for name, column in COLUMNS.items():
        if column.level == MANDATORY and name not in names:
            yield f"{name} is missing"
    for name in names:
        if name not in COLUMNS and not (_CUSTOM.fullmatch(name) and len(name) <= 50):
            yield f"{name} is neither a column of FOCUS nor a custom one"
    for first, second in (("ConsumedQuantity", "ConsumedUnit"), ("SkuId", "SkuPriceId")):
        if (first in names) != (second in names):
            yield f"{first} and {second} come together"


def _of_rows(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        wrong = [f"{name}: {fault}" for name, text in row.items() for fault in _of_value(name, text)]
        yield from wrong
        if not wrong:
            yield from _of_row(row)


def _of_value(name: str, text: str) -> Iterator[str]:
    column = COLUMNS.get(name, Column(CONDITIONAL, STRING))
    if not text:
        if not column.nullable:
            yield "is null"
        return
    if column.allowed and text not in column.allowed:
        yield f"{text!r} is not allowed"
    pattern, what = _FORMS.get(_form_of(name, column), (None, ""))
    if pattern is not None and not pattern.fullmatch(text):
        yield f"{text!r} is no {what}"
    if column.kind == JSON:
        yield from _of_json(text)


def _form_of(name: str, column: Column) -> str:
    if name == "BillingCurrency":
        return "currency"
    return "unit" if name.endswith("Unit") else column.kind


def _of_json(text: str) -> Iterator[str]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError:
        yield "is no JSON"
        return
    if not text.startswith("{"):
        yield "is no object"
    elif len({name for name, _ in pairs}) < len(pairs):
        yield "has a key twice"
    elif any(isinstance(value, list) for _, value in pairs):
        yield "holds more than plain values"


def _of_row(row: Row) -> Iterator[str]:
    is_usage = row["ChargeCategory"] == "Usage" and row["ChargeClass"] != "Correction"
    if is_usage:
        yield from (f"{name} is null for usage" for name in _OF_USAGE if not row.get(name))
    if is_usage and Decimal(row["ContractedCost"]) != Decimal(row["ListCost"]):
        yield "ContractedCost differs from ListCost, and no terms were negotiated"
    if not row.get("SkuPriceId"):
        yield from (f"{name} has a value without a SKU price" for name in _OF_SKU_PRICE if row.get(name))
    if row["ChargeCategory"] != "Usage" and row.get("ConsumedQuantity"):
        yield "ConsumedQuantity has a value without usage"
    if row["ChargeCategory"] == "Purchase" and row.get("ChargeFrequency") == "Usage-Based":
        yield "ChargeFrequency of a purchase is no usage"
    yield from _of_periods(row)
    yield from _of_prices(row)


def _of_periods(row: Row) -> Iterator[str]:
    start, end, billed_from, billed_to = (
        datetime.fromisoformat(row[name])
        for name in ("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd")
    )
    if not billed_from <= start < end <= billed_to:
        yield "the charge period is not within the billing period"


def _of_prices(row: Row) -> Iterator[str]:
    for name in ("List", "Contracted"):
        if row.get(f"{name}UnitPrice") and row.get("PricingQuantity"):
            product = Decimal(row[f"{name}UnitPrice"]) * Decimal(row["PricingQuantity"])
            if product != Decimal(row[f"{name}Cost"]):
                yield f"{name}Cost is not {name}UnitPrice times PricingQuantity"
    for key in json.loads(row.get("SkuPriceDetails") or "{}"):
        if key not in SKU_PROPERTIES and not key.startswith("x_"):
            yield f"SkuPriceDetails: {key} is neither a property of FOCUS nor a custom one"


def _of_skus(rows: Sequence[Row]) -> Iterator[str]:
    for name in ("SkuId", "SkuPriceDetails", "SkuMeter", "PricingUnit"):
        found: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            if row.get("SkuPriceId"):
                found[row["SkuPriceId"]].add(row.get(name, ""))
        yield from (f"{sku} has more than one {name}" for sku, values in found.items() if len(values) > 1)
