"""Costs of requests in which several models took part, as FOCUS has them: each line names the model that it is of."""

import json
from decimal import Decimal
from uuid import UUID

from msgspec.structs import replace

from schemas.event import ExchangeEvent
from tests.contracts.test_export_focus import focus_rows
from tests.contracts.test_other_models import drawn
from tests.contracts.test_receipts_api import keep, receipt
from tests.golden.cases import GOLDEN_CASES
from tests.servers.querying import Client
from tests.support.focus_checker import violations


def test_every_line_of_the_receipts_is_in_a_row_of_its_own_model(client: Client) -> None:
    expected: dict[tuple[str, str], Decimal] = {}
    for place, case in enumerate(GOLDEN_CASES):
        if not case.other_models or case.cost_usd is None:
            continue
        shown = receipt(client, keep(client, _of(client, case.event(), UUID(int=place))))
        for line in shown["lines"]:
            sku = line["model"], line["usage_class"]
            expected[sku] = expected.get(sku, Decimal(0)) + line["amount_usd"]
    rows = focus_rows(client)
    assert violations(rows) == []
    found: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        details = json.loads(row["SkuPriceDetails"])
        sku = details["ModelId"], details["x_UsageClass"]
        found[sku] = found.get(sku, Decimal(0)) + Decimal(row["BilledCost"])
    assert found == expected
    assert len({model for model, _ in found}) > 3
    assert sum(found.values()) == client.report(measures=["cost_usd"])["total"]["cost_usd"]


def test_a_row_names_the_price_of_its_own_model(client: Client) -> None:
    keep(client, drawn(client))
    rows = {(json.loads(row["SkuPriceDetails"])["ModelId"], row["SkuMeter"]): row for row in focus_rows(client)}
    image = rows["gpt-image-2", "Output Image Tokens"]
    assert (image["ConsumedQuantity"], image["SkuId"]) == ("1056", "openai/gpt-image-2/completion_image_tokens")
    assert "gpt-image-2" in image["x_PriceId"]
    own = rows["gpt-5", "Input Tokens"]
    assert (own["ConsumedQuantity"], "gpt-image" in own["x_PriceId"]) == ("500", False)


def _of(client: Client, event: ExchangeEvent, request_id: UUID) -> ExchangeEvent:
    request = replace(event.request, organization_id=client.organization_id, request_id=str(request_id))
    return replace(event, request=request)
