"""Repricing: what the rows cost then is what they would have cost from the start; and every run can be undone."""

import asyncio
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.errors import Conflict, StoreUnavailable
from schemas.event import ExchangeEvent
from schemas.price import Price
from schemas.record import RequestRecord
from schemas.reprice import Correction, Criteria, Reprice, RepriceState
from schemas.statement import Statement
from services.domain.enrich import to_record
from services.domain.pricing.price_book import model_matches
from services.ports.warehouse import AmendableWarehouse
from services.repricing.runner import Repricing
from services.sql.reprices import compile_charged_rows, criteria_filter
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.builders.records import TIMESTAMP, a_record
from tests.servers.warehouses import EXAMPLES, ask, insert, ledger, total_of
from tests.support.examples import examples
from tests.support.repricing import ALL, CHUNK_ROWS, LATER, SHIPPED, UNKNOWN, Operator, all_sorts

COUNT = 5 * CHUNK_ROWS // 2
FEW = settings(EXAMPLES, max_examples=examples(3))
# What these say is about the order of a run's steps: other tests send the same statements to a server too.
ON_ONE_ENGINE = pytest.mark.parametrize("warehouse", ["embedded"], indirect=True)


@pytest.fixture
def operator(warehouse: ClickHouseWarehouse, tmp_path: Path, organization_id: str) -> Operator:
    return Operator(warehouse, tmp_path, organization_id)


def kept(operator: Operator, count: int = COUNT, *, seed: int = 1) -> list[ExchangeEvent]:
    """Events whose rows are in the warehouse, charged at the shipped prices."""
    events = list(all_sorts(count, operator.organization_id, seed=seed))
    insert(operator.warehouse, [to_record(event, SHIPPED)[0] for event in events])
    return events


def costs(rows: Sequence[dict[str, Any]]) -> dict[str, object]:
    return {str(row["request_id"]): (row["cost_usd"], row["cost_state"]) for row in rows}


def from_the_start(operator: Operator, events: Sequence[ExchangeEvent]) -> dict[str, object]:
    """What the rows of `events` cost where the prices known now were known from the start."""
    book = operator.book()
    records = [to_record(event, book)[0] for event in events]
    return {record.request_id: (record.cost_usd, record.cost_state) for record in records}


@ON_ONE_ENGINE
def test_nothing_changes_where_no_price_did(operator: Operator) -> None:
    kept(operator)
    before = operator.rows()
    run = operator.charge_again()
    assert (run.state, run.rows_done, run.rows_total) == (RepriceState.DONE, COUNT, COUNT)
    assert run.result is not None
    assert (run.result.total.changed, run.result.days) == (0, ())
    assert (operator.rows(), operator.corrections()) == (before, 0)


def test_rows_repriced_cost_what_they_would_have_cost_from_the_start(operator: Operator) -> None:
    events = kept(operator)
    operator.add_price(UNKNOWN, "0.0000017")
    operator.add_price("gpt-4o-mini*", "0.0000000000003")
    operator.add_price("gpt-5*", "0")
    assert operator.charge_again().state is RepriceState.DONE
    assert costs(operator.rows()) == from_the_start(operator, events)


def test_the_sums_of_a_run_are_those_of_an_independent_ledger(operator: Operator) -> None:
    events = kept(operator)
    before = {event.request.request_id: to_record(event, SHIPPED)[0] for event in events}
    operator.add_price(UNKNOWN, "0.0000017")
    operator.add_price("claude*", "0.000004")  # and no price for what is written to a cache
    book = operator.book()
    after = {event.request.request_id: to_record(event, book)[0] for event in events}
    run = operator.charge_again()
    assert run.result is not None
    total = run.result.total
    assert (total.requests, total.before_usd) == ledger(list(before.values())) == (COUNT, total.before_usd)
    assert (
        total.after_usd == ledger(list(after.values()))[1] == total_of(operator.warehouse, operator.organization_id)[1]
    )
    changed = [id_ for id_ in before if _cost(before[id_]) != _cost(after[id_])]
    assert (total.changed, operator.corrections()) == (len(changed), len(changed))
    assert total.newly_priced == sum(before[id_].cost_usd is None and after[id_].cost_usd is not None for id_ in before)
    assert total.newly_unknown == sum(
        before[id_].cost_usd is not None and after[id_].cost_usd is None for id_ in before
    )
    assert min(total.newly_priced, total.newly_unknown) > 0
    for one in run.result.days:
        of_day = [
            id_ for id_, row in before.items() if (row.model, row.request_created_at.date()) == (one.model, one.day)
        ]
        assert one.difference.requests == len(of_day)
        assert one.difference.before_usd == ledger([before[id_] for id_ in of_day])[1]
        assert one.difference.after_usd == ledger([after[id_] for id_ in of_day])[1]
    assert sum(one.difference.changed for one in run.result.days) == total.changed


def _cost(record: RequestRecord) -> object:
    return record.cost_usd, record.cost_state


@ON_ONE_ENGINE
def test_charging_again_twice_equals_once(operator: Operator) -> None:
    kept(operator)
    operator.add_price(UNKNOWN, "0.0000017")
    operator.charge_again()
    once, corrections = operator.rows(), operator.corrections()
    again = operator.charge_again()
    assert again.result is not None
    assert again.result.total.changed == 0
    assert (operator.rows(), operator.corrections()) == (once, corrections)


def test_a_dry_run_says_what_a_run_does_and_writes_nothing(operator: Operator) -> None:
    kept(operator)
    operator.add_price(UNKNOWN, "0.0000017")
    before = operator.rows()
    dry = operator.charge_again(dry_run=True)
    assert (operator.rows(), operator.corrections()) == (before, 0)
    assert dry.result == operator.charge_again().result
    assert dry.result is not None
    assert dry.result.total.changed > 0


def test_undoing_restores_every_column(operator: Operator) -> None:
    kept(operator)
    before = operator.rows()
    operator.add_price("*", "0.0000017")
    run = operator.charge_again()
    assert operator.rows() != before
    undone = operator.undo(run)
    assert (undone.state, undone.rows_done) == (RepriceState.UNDONE, operator.corrections())
    assert operator.rows() == before
    assert operator.undo(undone) == undone
    assert operator.rows() == before


def test_undoing_leaves_calls_that_were_logged_again_after_the_run_and_says_how_many(operator: Operator) -> None:
    events = kept(operator)
    before = {str(row["request_id"]): row for row in operator.rows()}
    operator.add_price("*", "0.0000017")
    run = operator.charge_again()
    corrected = {str(row["request_id"]) for row in operator.rows() if row["reprice_id"]}
    logged_again = [event for event in events if event.request.request_id in corrected][::3]
    later = [replace(event, recorded_at=LATER + timedelta(hours=1)) for event in logged_again]
    insert(operator.warehouse, [to_record(event, operator.book())[0] for event in later])
    after_logs = {str(row["request_id"]): row for row in operator.rows()}

    for _ in range(2):  # once more changes nothing, as after a break
        undone = operator.undo(replace(run, state=RepriceState.DONE))
        assert undone.rows_total == len(corrected)
        assert undone.rows_total - undone.rows_done == len(later) > 10
        rows = {str(row["request_id"]): row for row in operator.rows()}
        left = {event.request.request_id for event in later}
        assert rows == {id_: (after_logs if id_ in left else before)[id_] for id_ in before}
        _break_off(operator, run)


def _break_off(operator: Operator, run: Reprice) -> None:
    """As if the process had died at the end of the undoing."""
    with sqlite3.connect(operator.state.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE reprice SET state = 'failed' WHERE id = ?", (run.id,))


def test_a_row_keeps_what_it_was_charged_at_first(operator: Operator) -> None:
    kept(operator)
    charged = {str(row["request_id"]): row["cost_usd"] for row in operator.rows()}
    for usd in ("0.000001", "0.000002"):
        operator.add_price("*", usd)
        run = operator.charge_again()
    corrected = [row for row in operator.rows() if row["reprice_id"]]
    assert {row["reprice_id"] for row in corrected if row["cost_usd"] is not None} == {run.id}
    assert len(corrected) > COUNT / 2
    assert all(row["original_cost_usd"] == charged[str(row["request_id"])] for row in corrected)
    assert {row["original_cost_usd"] for row in operator.rows() if not row["reprice_id"]} == {None}


@ON_ONE_ENGINE
def test_a_replay_of_the_log_beats_neither_a_correction_nor_its_undoing(operator: Operator) -> None:
    events = kept(operator)
    charged = operator.rows()
    operator.add_price("*", "0.0000017")
    run = operator.charge_again()
    corrected = operator.rows()
    changed = {str(row["request_id"]) for row in corrected if row["reprice_id"]}
    again = [to_record(event, operator.book())[0] for event in events if event.request.request_id in changed]
    Random(7).shuffle(again)
    insert(operator.warehouse, again)
    assert operator.rows() == corrected
    operator.undo(run)
    insert(operator.warehouse, again)
    assert operator.rows() == charged


@ON_ONE_ENGINE
def test_replaying_the_whole_log_after_charging_again_moves_no_cost(operator: Operator) -> None:
    events = kept(operator)
    operator.add_price("*", "0.0000017")
    operator.charge_again()
    settled = costs(operator.rows())
    insert(operator.warehouse, [to_record(event, operator.book())[0] for event in events])
    assert costs(operator.rows()) == settled


def test_only_what_was_requested_is_repriced(operator: Operator) -> None:
    events = kept(operator)
    operator.add_price("*", "0.0000017")
    until = TIMESTAMP + timedelta(days=2)
    criteria = Criteria(model="GPT-4o-M*-07-18", provider="openai", since=ALL.since, until=until)
    run = operator.charge_again(criteria)
    requested = {
        row.request_id
        for row in (to_record(event, SHIPPED)[0] for event in events)
        if row.model == "gpt-4o-mini-2024-07-18" and row.request_created_at < until
    }
    changed = {str(row["request_id"]) for row in operator.rows() if row["reprice_id"]}
    assert run.rows_done == len(requested)
    assert 0 < len(changed) < len(requested)
    assert changed <= requested


@EXAMPLES
@given(data=st.data())
def test_a_pattern_finds_in_the_warehouse_what_it_finds_in_the_price_book(
    warehouse: ClickHouseWarehouse, data: st.DataObject
) -> None:
    letters = st.text("aAb_%\\-.?", max_size=4)
    models = data.draw(st.lists(letters, min_size=1, max_size=20))
    patterns = data.draw(st.lists(st.lists(letters, min_size=1, max_size=3).map("*".join), min_size=1, max_size=10))
    organization_id = f"org-{uuid.uuid4()}"
    insert(
        warehouse,
        [a_record(organization_id=organization_id, model=model, request_id=str(uuid.uuid4())) for model in models],
    )
    for pattern in patterns:
        where = criteria_filter(replace(ALL, model=pattern))
        found = asyncio.run(warehouse.query(compile_charged_rows(organization_id, where, None, 100)))
        expected = sorted(model for model in models if model_matches(pattern, model))
        assert sorted(row["model"] for row in found) == expected, pattern


@pytest.mark.first_on_server
@pytest.mark.parametrize("model", ["gpt_4o*", "gpt-4%", "*\\*", "gpt-4o-mini-2024"])
def test_a_pattern_means_what_it_says(operator: Operator, model: str) -> None:
    """Only `*` stands for other text; and a name without it is the whole name."""
    kept(operator, 20)
    assert operator.charge_again(replace(ALL, model=model)).rows_total == 0


def test_another_organizations_rows_are_left_alone(operator: Operator, tmp_path: Path) -> None:
    stranger = Operator(operator.warehouse, tmp_path, f"{operator.organization_id}-other")
    kept(operator)
    kept(stranger)
    theirs = stranger.rows()
    operator.add_price("*", "0.0000017")
    operator.undo(operator.charge_again())
    operator.charge_again()
    assert stranger.rows() == theirs


class Struck:
    """A warehouse that is struck by lightning at its n-th write: before it, or once it is done."""

    def __init__(self, warehouse: AmendableWarehouse, writes: int, *, before: bool) -> None:
        self._warehouse = warehouse
        self._left = writes
        self._before = before
        self.query, self.insert, self.close = warehouse.query, warehouse.insert, warehouse.close
        self.keep_amendments = warehouse.keep_amendments

    async def keep_prices(self, prices: Sequence[Price]) -> None:
        await self._strike(lambda: self._warehouse.keep_prices(prices))

    async def keep_corrections(self, corrections: Sequence[Correction]) -> None:
        await self._strike(lambda: self._warehouse.keep_corrections(corrections))

    async def execute(self, statement: Statement) -> None:
        await self._strike(lambda: self._warehouse.execute(statement))

    async def _strike(self, write: Callable[[], Awaitable[None]]) -> None:
        self._left -= 1
        if self._left == 0 and self._before:
            raise Lightning
        await write()
        if self._left == 0:
            raise Lightning


class Lightning(Exception):
    """Not an error that anybody expects."""


@FEW
@given(writes=st.integers(1, 9), before=st.booleans(), undo_writes=st.integers(1, 3))
def test_a_run_that_breaks_off_anywhere_is_completed_by_a_second_and_undone_with_it(
    embedded_warehouse: ClickHouseWarehouse,
    tmp_path_factory: pytest.TempPathFactory,
    writes: int,
    before: bool,
    undo_writes: int,
) -> None:
    operator = Operator(embedded_warehouse, tmp_path_factory.mktemp("state"), f"org-{uuid.uuid4()}")
    events = kept(operator)
    charged = operator.rows()
    operator.add_price("*", "0.0000017")

    first = operator.use(
        lambda repricing: repricing.begin(operator.organization_id, ALL, dry_run=False),
        Struck(embedded_warehouse, writes, before=before),
    )
    assert first.state is RepriceState.FAILED
    assert first.result is not None
    assert first.result.total.changed <= operator.corrections(), "what was not written is not counted"
    second = operator.charge_again()
    assert second.state is RepriceState.DONE
    assert costs(operator.rows()) == from_the_start(operator, events)

    struck = Struck(embedded_warehouse, undo_writes, before=before)
    broken = operator.use(lambda repricing: repricing.undo(second), struck)
    undone = broken if broken.state is RepriceState.UNDONE else operator.undo(broken)
    assert undone.state is RepriceState.UNDONE
    assert operator.undo(first).state is RepriceState.UNDONE
    assert operator.rows() == charged


@FEW
@given(data=st.data())
def test_any_runs_undone_in_the_opposite_order_lead_back_through_the_same_rows(
    embedded_warehouse: ClickHouseWarehouse, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    operator = Operator(embedded_warehouse, tmp_path_factory.mktemp("state"), f"org-{uuid.uuid4()}")
    kept(operator, 40)
    models = st.sampled_from(["*", UNKNOWN, "gpt-4o*", "claude*"])
    seen, runs = [operator.rows()], []
    for _ in range(data.draw(st.integers(1, 3))):
        amount = data.draw(st.decimals(0, "0.001", places=data.draw(st.integers(0, 12))))
        operator.add_price(data.draw(models), f"{amount:f}")
        runs.append(operator.charge_again(replace(ALL, model=data.draw(models))))
        seen.append(operator.rows())
    for run in reversed(runs):
        assert operator.rows() == seen.pop()
        operator.undo(run)
    assert operator.rows() == seen.pop()


@ON_ONE_ENGINE
def test_a_run_is_not_undone_from_under_a_later_one(operator: Operator) -> None:
    kept(operator, 60)
    runs = []
    for usd in ("0.000001", "0.000002"):
        operator.add_price("*", usd)
        runs.append(operator.charge_again())
    settled = operator.rows()
    with pytest.raises(Conflict, match=runs[1].id):
        operator.undo(runs[0])
    assert operator.rows() == settled
    operator.undo(runs[1])
    assert operator.undo(runs[0]).state is RepriceState.UNDONE


@ON_ONE_ENGINE
def test_a_dry_run_has_nothing_to_undo(operator: Operator) -> None:
    run = operator.charge_again(dry_run=True)
    with pytest.raises(Conflict, match="dry run"):
        operator.undo(run)


@ON_ONE_ENGINE
def test_a_store_that_is_unreachable_for_a_timestamp_is_waited_for(operator: Operator) -> None:
    events = kept(operator, 60)
    operator.add_price("*", "0.0000017")
    unreachable = Away(operator.warehouse)
    run = operator.use(lambda repricing: repricing.begin(operator.organization_id, ALL, dry_run=False), unreachable)
    assert (run.state, unreachable.refused) == (RepriceState.DONE, 3)
    assert costs(operator.rows()) == from_the_start(operator, events)


class Away(Struck):
    """Refuses every other write, three times."""

    refused = 0

    def __init__(self, warehouse: AmendableWarehouse) -> None:
        super().__init__(warehouse, 0, before=True)

    async def _strike(self, write: Callable[[], Awaitable[None]]) -> None:
        self._left += 1
        if self._left % 2 and self.refused < 3:
            self.refused += 1
            raise StoreUnavailable("away")
        await write()


def test_the_price_of_every_corrected_row_is_kept(operator: Operator) -> None:
    kept(operator, 60)
    operator.add_price("*", "0.0000017")
    operator.charge_again()
    named = {row["price_id"] for row in operator.rows() if row["reprice_id"]}
    found = ask(
        operator.warehouse,
        "SELECT DISTINCT price_id FROM price WHERE price_id IN {ids:Array(String)}",
        ids=sorted(named),
    )
    assert {row["price_id"] for row in found} == named


class Gated:
    """A warehouse whose rows are written when the gate is open."""

    def __init__(self, warehouse: AmendableWarehouse) -> None:
        self._warehouse = warehouse
        self.gate = asyncio.Event()
        self.query, self.insert, self.close = warehouse.query, warehouse.insert, warehouse.close
        self.keep_amendments = warehouse.keep_amendments
        self.keep_prices, self.keep_corrections = warehouse.keep_prices, warehouse.keep_corrections

    async def execute(self, statement: Statement) -> None:
        await self.gate.wait()
        await self._warehouse.execute(statement)


@ON_ONE_ENGINE
def test_a_long_run_is_looked_at_while_it_goes_on(operator: Operator) -> None:
    events = kept(operator)
    operator.add_price("*", "0.0000017")
    slow = Gated(operator.warehouse)

    async def begin(repricing: Repricing) -> Reprice:
        run = await repricing.begin(operator.organization_id, ALL, dry_run=False)
        assert (run.state, run.rows_done, run.result) == (RepriceState.RUNNING, 0, None)
        slow.gate.set()
        return run

    assert operator.use(begin, slow).state is RepriceState.DONE
    assert costs(operator.rows()) == from_the_start(operator, events)


@ON_ONE_ENGINE
def test_a_run_whose_process_is_stopped_lets_the_next_one_in_at_once(operator: Operator) -> None:
    events = kept(operator)
    operator.add_price("*", "0.0000017")
    ids = []

    async def begin_and_stop(repricing: Repricing) -> Reprice:
        run = await repricing.begin(operator.organization_id, ALL, dry_run=False)
        ids.append(run.id)
        await repricing.close()
        return replace(run, state=RepriceState.FAILED)

    operator.use(begin_and_stop, Gated(operator.warehouse))
    assert operator.charge_again().state is RepriceState.DONE
    assert costs(operator.rows()) == from_the_start(operator, events)
    (stopped,) = [run for run in operator.runs() if run.id in ids]
    assert (stopped.state, stopped.error) == (RepriceState.FAILED, "the query service was stopped")
