"""Calls that wait for a rate limit or a budget: their client is held up no less than their provider asks for."""

import asyncio
from typing import Any

import pytest

from schemas.event import RequestTags
from schemas.origin import Origin
from services.domain.exchange.capture import Capture
from services.domain.exchange.routes import origin_of
from services.domain.limits.policy import limit_of
from services.ports.upstream import ResponseReceiver, Upstream, UpstreamCall
from services.proxy.budgets.budgeted_call import HELD_BYTES, BudgetedWay
from services.proxy.budgets.use import BudgetStores, budget_use
from services.proxy.exchange.paced_work import PacedWork
from services.proxy.upstream.limit_access import LimitAccess
from services.proxy.upstream.limited_call import LimitedUpstream
from services.stores.clock import SystemClock
from services.stores.limits.memory_limits import MemoryLimits
from services.telemetry.metrics import Metrics
from tests.builders.budgets import KnownBudgets, a_budget
from tests.builders.records import ORGANIZATION
from tests.unit.test_capture import a_capture
from tests.unit.test_keyed_call import Calls

pytestmark = pytest.mark.anyio

ORIGIN = origin_of("https://api.openai.com")


class SlowServer(Calls):
    """Takes no more than it has as soon as it gets anything."""

    def call(self, origin: Origin, receiver: ResponseReceiver) -> "SlowServer":  # noqa: ARG002
        self._receiver = receiver
        return self

    def flush(self) -> None:
        self.said.append(("flush",))
        self._receiver.upstream_slow()


def limited(behind: Upstream, capture: Capture, levels: Any = None) -> Upstream:
    access = LimitAccess(levels or MemoryLimits(), timeout_s=1, closed=False, metrics=Metrics())
    limit = limit_of("5;w=60", ORGANIZATION, RequestTags())
    return LimitedUpstream(behind, access, limit, capture)


def budgeted(behind: Upstream, capture: Capture, counters: Any = None) -> Upstream:
    unused: Any = None
    stores = BudgetStores(rows=KnownBudgets(*([] if counters is None else [a_budget()])), counters=counters)
    use = budget_use(
        stores,
        unused,
        timeout_s=1,
        closed=False,
        metrics=Metrics(),
        clock=SystemClock(),
        paced=PacedWork(),
        draw_id=lambda: "1",
    )
    assert use is not None
    return BudgetedWay(lambda _: behind, use, capture)(capture.target)


async def sent(call: UpstreamCall, behind: Calls) -> None:
    """Soon."""
    call.send_head(b"POST", b"/v1/embeddings", [], HELD_BYTES + 1)
    call.send_chunk(bytes(100_000))
    for _ in range(200):
        if behind.of("flush"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(behind.said)


@pytest.mark.parametrize("decorated", [limited, budgeted])
async def test_a_slow_provider_holds_up_its_client_also_when_the_request_was_held(decorated: Any) -> None:
    behind, client = SlowServer(), Calls()
    receiver: Any = client
    await sent(decorated(behind, a_capture()).call(ORIGIN, receiver), behind)
    assert [name for name, *_ in client.said] == ["upstream_slow", "upstream_ready", "upstream_slow"]


class Broken:
    """A store with a fault."""

    def __getattr__(self, name: str) -> Any:
        raise ValueError(name)


@pytest.mark.parametrize("decorated", [limited, budgeted])
async def test_a_fault_of_the_decision_leaves_no_request_waiting(decorated: Any) -> None:
    behind, capture = Calls(), a_capture()
    receiver: Any = Calls()
    await sent(decorated(behind, capture, Broken()).call(ORIGIN, receiver), behind)
    assert [name for name, _ in capture.added_headers if name.endswith(b"-Skipped")]
