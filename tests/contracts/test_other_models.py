"""Requests in which another model took part, on real engines: rows, CSV, filters, receipts, totals and re-pricing."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.event import ExchangeEvent
from schemas.key import Permission
from tests.contracts.test_query_csv import lines_of
from tests.contracts.test_receipts_api import keep, receipt, sum_of
from tests.contracts.test_reprice import data
from tests.golden.cases import GOLDEN_CASES
from tests.servers.querying import LIST, Client, leaf
from tests.unit.test_other_models import IMAGE, OWN, response

TOGETHER = [case for case in GOLDEN_CASES if case.other_models]
ALL = {"since": "2026-10-01T00:00:00Z", "dry_run": False}


@pytest.fixture
def operator(client: Client) -> Client:
    """The client with a key that may change what was charged."""
    return Client(client.service, client.organization_id, client.service.key(client.organization_id, Permission.ADMIN))


def drawn(client: Client, **reply: Any) -> ExchangeEvent:
    """gpt-5, which had an image drawn."""
    case = next(case for case in TOGETHER if case.name == "openai_responses_image_generation")
    event = case.event(response_body=json.dumps(response(**reply)).encode())
    return _of(client, event)


def _of(client: Client, event: ExchangeEvent) -> ExchangeEvent:
    return replace(event, request=replace(event.request, organization_id=client.organization_id))


@pytest.mark.first_on_server
@pytest.mark.parametrize("case", TOGETHER, ids=lambda case: case.name)
def test_the_receipt_of_every_recorded_answer_of_two_models_adds_up(client: Client, case: Any) -> None:
    shown = receipt(client, keep(client, _of(client, case.event())))
    assert (shown["cost_usd"], shown["total_usd"], shown["reconciles"]) == (case.cost_usd, case.cost_usd, True)
    assert [(one["model"], one["cost_usd"]) for one in shown["other_models"]] == [
        (other.billed_model, other.cost_usd) for other in case.other_models
    ]
    if case.cost_usd is None:
        assert "another model, which neither request nor response names" in shown["why"]
        return
    assert sum_of(shown["lines"]) == case.cost_usd
    for one in shown["other_models"]:
        assert one["price"]["source"].startswith("genai-prices ")
        assert one["price"]["page_url"]
    by_model = {line["model"] for line in shown["lines"]}
    assert by_model == {case.billed_model, *(other.billed_model for other in case.other_models)}


def test_a_row_and_its_line_of_csv_show_the_part_of_each_model(client: Client) -> None:
    keep(client, drawn(client))
    (row,) = client.page()
    (part,) = row["other_models"]
    assert (part["model"], part["cost_usd"], part["usage"], part["cost_state"], part["service_tier"]) == (
        "gpt-image-2",
        IMAGE,
        {"prompt_tokens": 40, "completion_image_tokens": 1056},
        "priced",
        "",
    )
    (line,) = lines_of(client, LIST, {"filter": "all"})
    (written,) = json.loads(line["other_models"], parse_float=Decimal)
    assert written["cost_usd"] + OWN == Decimal(line["cost_usd"]) == OWN + IMAGE
    own = {name: int(line[name]) - count for name, count in written["usage"].items()}
    assert own == {"prompt_tokens": 500, "completion_image_tokens": 0}
    assert int(line["completion_tokens"]) - written["usage"]["completion_image_tokens"] == 90


def test_totals_have_the_tokens_and_the_cost_of_all_models(client: Client) -> None:
    keep(client, drawn(client))
    total = client.report(measures=["cost_usd", "total_tokens", "completion_image_tokens"])["total"]
    assert (total["cost_usd"], total["total_tokens"], total["completion_image_tokens"]) == (OWN + IMAGE, 1686, 1056)


def test_rows_can_be_found_and_grouped_by_the_other_model(client: Client) -> None:
    request_id = keep(client, drawn(client))
    client.keep({})
    assert client.ids(leaf(other_models={"equals": "gpt-image-2"})) == [request_id]
    assert len(client.ids(leaf(other_models={"equals": ""}))) == 1
    rows = client.report(measures=["cost_usd"], by=[{"column": "other_models"}])["rows"]
    assert {row["by"][0]: row["measures"]["requests"] for row in rows} == {None: 1, "gpt-image-2": 1}


def image_price(operator: Client, model: str) -> None:
    rates = {"prompt_tokens": 10, "completion_image_tokens": 100}
    body = {"model": model, "usd_per_million_tokens": rates, "valid_from": "2026-01-01T00:00:00Z"}
    assert operator.ask("/v1/prices", body)[0] == 201


def ended(operator: Client, path: str, body: dict[str, Any]) -> Any:
    """The run or undoing that `body` begins at `path`, once it has ended."""
    status, begun = operator.ask(path, body)
    assert status in (200, 202), begun
    deadline = time.monotonic() + 60
    while True:
        run = data(operator.ask(f"/v1/reprice/{begun['data']['id']}"))
        if run["state"] not in ("running", "undoing") or time.monotonic() > deadline:
            return run
        time.sleep(0.05)


IMAGE_AGAIN = Decimal("0.106")  # 40 x 10 $ + 1056 x 100 $, each per million


@pytest.mark.parametrize("model", ["gpt-image-99", "gpt-5", "*"])
def test_a_price_of_the_other_model_prices_the_whole_by_either_name_and_undoing_restores_it(
    operator: Client, model: str
) -> None:
    request_id = keep(operator, drawn(operator, model="gpt-image-99"))
    before = operator.page()
    assert (before[0]["cost_usd"], before[0]["cost_state"], before[0]["completion_image_tokens"]) == (
        None,
        "partial",
        1056,
    )
    (unknown,) = data(operator.ask("/v1/prices/unknown?since=9w"))["models"]
    assert (unknown["cause"], unknown["price_helps"]) == ("partially_unpriced", True)

    image_price(operator, "gpt-image-99")
    dry = ended(operator, "/v1/reprice", ALL | {"model": model, "dry_run": True})
    assert (dry["total"]["newly_priced"], dry["total"]["after_usd"]) == (1, OWN + IMAGE_AGAIN)
    assert operator.page() == before
    run = ended(operator, "/v1/reprice", ALL | {"model": model})
    assert run["total"] == dry["total"]
    (row,) = operator.page()
    assert (row["cost_usd"], row["cost_state"], row["other_models"][0]["cost_usd"]) == (
        OWN + IMAGE_AGAIN,
        "priced",
        IMAGE_AGAIN,
    )
    shown = receipt(operator, request_id)
    assert (sum_of(shown["lines"]), shown["reconciles"]) == (OWN + IMAGE_AGAIN, True)
    assert shown["other_models"][0]["price"]["source"] == "operator"
    assert shown["price"]["source"] != "operator"

    assert ended(operator, f"/v1/reprice/{run['id']}/undo", {})["state"] == "undone"
    (restored,) = operator.page()
    assert restored | {"updated_at": None} == before[0] | {"updated_at": None}


def test_a_row_without_that_model_is_not_charged_again_by_its_name(operator: Client) -> None:
    keep(operator, drawn(operator))
    operator.keep({})
    for model, rows in (("gpt-image*", 1), ("gpt-image", 0), ("gpt-*", 2), ("*-image-*", 1)):
        run = ended(operator, "/v1/reprice", ALL | {"model": model, "dry_run": True})
        assert (run["rows_total"], run["total"]["changed"]) == (rows, 0)


def test_a_model_that_nothing_names_is_missing_and_no_price_helps(operator: Client) -> None:
    keep(operator, drawn(operator, model=None))
    (unknown,) = data(operator.ask("/v1/prices/unknown?since=9w"))["models"]
    assert (unknown["model"], unknown["cause"], unknown["price_helps"]) == ("gpt-5", "model_missing", False)
    assert '`model` of the tool "image_generation"' in unknown["advice"]
    image_price(operator, "*")
    assert ended(operator, "/v1/reprice", ALL | {"model": "*", "dry_run": True})["total"]["newly_priced"] == 0


def test_a_replay_writes_the_same_row(client: Client) -> None:
    event = drawn(client)
    keep(client, event)
    before = client.page()
    keep(client, event)
    assert client.page() == before
