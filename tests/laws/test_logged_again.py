"""Logs of one call, repricing and requests that passed the proxy: who comes first decides nothing that it may not."""

import uuid
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.event import ExchangeEvent, encode_event
from schemas.versions import LOGGED_BELOW
from services.domain.logging_api.replacement import replaced_of
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import an_event, chat_response
from tests.servers.warehouses import EXAMPLES, rows_of
from tests.support.repricing import LATER, Operator
from tests.support.working import work_through


def an_exchange(organization_id: str, minutes: int, *, key_id: str = "key-1", logged: bool = True) -> ExchangeEvent:
    """Of the same id and timestamp every time; its prompt says when it was recorded."""
    return an_event(
        organization_id=organization_id,
        created_at=LATER - timedelta(hours=2),
        response_body=chat_response(prompt=1000 + minutes, cached=0),
        recorded_at=LATER + timedelta(minutes=minutes),
        key_id=key_id,
        logged=logged,
    )


def row_of(warehouse: ClickHouseWarehouse, organization_id: str) -> dict[str, Any]:
    (row,) = rows_of(warehouse, organization_id)
    return row


def test_a_logged_call_that_was_repriced_and_undone_is_replaced_by_a_later_log_and_by_what_passed(
    warehouse: ClickHouseWarehouse, organization_id: str, tmp_path: Path
) -> None:
    operator = Operator(warehouse, tmp_path, organization_id)
    first, again = (encode_event(an_exchange(organization_id, minutes)) for minutes in (-60, 60))
    work_through(warehouse, [first])
    charged = row_of(warehouse, organization_id)
    operator.add_price("*", "0.0000017")
    run = operator.charge_again()
    assert row_of(warehouse, organization_id)["cost_usd"] != charged["cost_usd"]
    operator.undo(run)
    undone = row_of(warehouse, organization_id)
    assert undone["cost_usd"] == charged["cost_usd"]
    assert charged["version"] < undone["version"] < LOGGED_BELOW

    work_through(warehouse, [first, again])
    assert row_of(warehouse, organization_id)["prompt_tokens"] == 1060

    passed = an_exchange(organization_id, -30, logged=False)
    work_through(warehouse, [encode_event(passed), first, again])
    row = row_of(warehouse, organization_id)
    assert (row["prompt_tokens"], row["first_logged_us"]) == (970, 0)


def test_what_a_log_replaces_is_kept_as_it_was_charged_last(
    warehouse: ClickHouseWarehouse, organization_id: str, tmp_path: Path
) -> None:
    operator = Operator(warehouse, tmp_path, organization_id)
    work_through(warehouse, [encode_event(an_exchange(organization_id, -60))])
    operator.add_price("*", "0.0000017")
    operator.charge_again()
    work_through(warehouse, [encode_event(an_exchange(organization_id, 60))])
    row = row_of(warehouse, organization_id)
    (stood,) = replaced_of(row["replaced"])
    # (940 of input + 200 of output) x 1.7 dollars per million
    assert (row["prompt_tokens"], stood.cost_usd) == (1060, Decimal("0.001938"))


def test_a_log_that_a_repricing_has_overtaken_is_kept_and_only_once(
    warehouse: ClickHouseWarehouse, organization_id: str, tmp_path: Path
) -> None:
    operator = Operator(warehouse, tmp_path, organization_id)
    first, overtaken, last = (encode_event(an_exchange(organization_id, minutes)) for minutes in (-60, -30, -20))
    work_through(warehouse, [first])
    operator.add_price("*", "0.0000017")
    operator.charge_again()
    for entries, prompt in (([overtaken], 970), ([first, overtaken], 970), ([last, first], 980), ([overtaken], 980)):
        work_through(warehouse, entries, rows=1)
        assert row_of(warehouse, organization_id)["prompt_tokens"] == prompt
    assert len(replaced_of(row_of(warehouse, organization_id)["replaced"])) == 2


@EXAMPLES
@given(data=st.data())
def test_however_a_call_is_delivered_what_passed_wins_and_else_the_latest_log_of_its_key(
    warehouse: ClickHouseWarehouse, data: st.DataObject
) -> None:
    organization_id = f"org-{uuid.uuid4()}"
    logs = [an_exchange(organization_id, minutes) for minutes in data.draw(st.sets(st.integers(0, 99), min_size=1))]
    passed = [an_exchange(organization_id, 500, logged=False)] if data.draw(st.booleans()) else []
    forged = [an_exchange(organization_id, 100 + number, key_id="key-2") for number in range(3)]
    first, *others = data.draw(st.permutations([*logs, *passed]))
    late = data.draw(st.permutations([*others, *forged, *logs[:3]]))
    rows = data.draw(st.integers(1, 5))
    work_through(warehouse, [encode_event(event) for event in (first, *late)], rows=rows)
    wins = passed or [max(logs, key=lambda event: event.recorded_at or LATER)]
    row = row_of(warehouse, organization_id)
    assert (row["prompt_tokens"], row["key_id"]) == (1000 + (500 if passed else _minutes(wins[0])), "key-1")


def _minutes(event: ExchangeEvent) -> int:
    assert event.recorded_at is not None
    return (event.recorded_at - LATER) // timedelta(minutes=1)
