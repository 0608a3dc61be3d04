"""Requests in which other models took part: no price of the billed model is put on tokens of another one."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.contracts import test_savings_prompt_cache as prompt_cache
from tests.contracts import test_savings_what_if as what_if
from tests.servers.querying import Client

OTHERS = json.dumps([{"model": "other", "usage": {"prompt_tokens": 9}, "cost_usd": 0.001, "cost_state": "priced"}])
SEVERAL: dict[str, Any] = {"other_models": OTHERS}


def test_requests_of_several_models_are_not_compared_and_counted(client: Client) -> None:
    tokens: dict[str, Any] = {"prompt_tokens": 1000, "completion_tokens": 10}
    one = what_if.used("OPENAI", "gpt-5", **tokens)
    several = what_if.used("OPENAI", "gpt-5", **tokens, **SEVERAL)
    client.keep(one, several | {"request_created_at": what_if.AT + timedelta(hours=1)})
    for alternatives in ([{"serviceTier": "batch"}], [{"model": "gpt-4o-mini"}], [{"model": "gpt-5"}]):
        (found,) = what_if.requested(client, alternatives=alternatives)["total"]
        assert (found["requests"], found["other_requests"], found["cost_usd"]) == (1, 1, one["cost_usd"])


def test_their_cached_tokens_lose_nothing_and_are_counted(client: Client) -> None:
    sent = prompt_cache.sent
    client.keep(
        sent(0, w5m=4000, request_fingerprint="a", **SEVERAL),
        sent(60, plain=4000, request_fingerprint="a"),  # of its model nothing may have been cached
        sent(90, plain=4000, request_fingerprint="a", **SEVERAL),
        sent(7200, w5m=4000),
    )
    total = prompt_cache.requested(client)["total"]
    assert prompt_cache.unread(total) == (4000, 4000, Decimal("0.001"), Decimal("0.001"))
    assert prompt_cache.repaid(total) == (0, 0, 0, 0)
    assert (total["requests"], total["other_requests"]) == (2, 2)
    assert (total["input_tokens"], total["cache_write_tokens"]) == (8000, 4000)


def test_what_they_read_is_not_taken_for_unread(client: Client) -> None:
    client.keep(prompt_cache.sent(0, w5m=4000), prompt_cache.sent(60, 10, read=4000, **SEVERAL))
    assert prompt_cache.unread(prompt_cache.requested(client)["total"]) == (0, 0, 0, 0)
