"""The report says what the summary says: amounts, shares, and what is not in them."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from schemas.api.reports import CacheUse, EnvironmentSpend, FeatureSpend, Spend, Unpriced, UserSpend
from schemas.api.seal import SealView
from schemas.price import CostState
from schemas.seal import SealState
from services.cli.client import as_json
from services.cli.report.summary import SealedSummary, compile_report
from services.cli.terminal import percent, usd


def spent(usd: str | None, requests: int = 1, unpriced: int = 0) -> dict[str, Any]:
    """The fields of a Spend; tokens are as well known as requests."""
    share = (requests - unpriced) / requests if requests else None
    return {
        "cost_usd": None if usd is None else Decimal(usd),
        "requests": requests,
        "attempts": requests,
        "unpriced_requests": unpriced,
        "priced_request_share": share,
        "priced_token_share": share,
        "unpriced_requests_without_tokens": 0,
    }


def a_seal(**changes: Any) -> SealView:
    reported: dict[str, Any] = {
        "state": SealState.COMPLETE,
        "complete_until": datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC),
        "events_waiting": 0,
        "dead_lettered_events": 0,
        "priced_request_share": 0.99,
        "priced_token_share": 0.9951,
        "reason": "",
    }
    return SealView(**(reported | changes))


def a_summary(**changes: Any) -> SealedSummary:
    """The week of the cost-tracking guide."""
    features = [("chat", "245", 0.58, 0), ("document-analysis", "127", 0.30, 0), ("search", "51", 0.12, 28)]
    production = EnvironmentSpend(
        name="production",
        share=0.8686,
        features=[
            FeatureSpend(name=name, share=share, **spent(usd, 800, unpriced)) for name, usd, share, unpriced in features
        ],
        **spent("423", 2400, 28),
    )
    development = EnvironmentSpend(name="development", share=0.1314, features=[], **spent("64", 400))
    reported: dict[str, Any] = {
        "seal": a_seal(),
        "start": datetime(2026, 11, 14, 9, 30, tzinfo=UTC),
        "end": datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        "total": Spend(**spent("487", 2800, 28) | {"priced_token_share": 0.9951}),
        "environments": [production, development],
        "top_users": [
            UserSpend(user_id="user-789", tier="premium", **spent("42.5", 9)),
            UserSpend(user_id="", tier=None, **spent("0.0001")),
        ],
        "cache": CacheUse(hits=312, requests=1356, hit_rate=0.2301, savings_usd=Decimal(112), unpriced_hits=0),
        "unpriced": [
            Unpriced(provider="OPENAI", model="acme-7b", cost_state=CostState.UNKNOWN_MODEL, requests=26),
            Unpriced(provider="OPENAI", model="", cost_state=CostState.NO_USAGE, requests=2),
        ],
        "disputed_requests": 0,
    }
    return SealedSummary(**(reported | changes))


def printed(summary: SealedSummary, *, width: int = 100, **console: Any) -> str:
    out = io.StringIO()
    compile_report(summary, Console(file=out, width=width, markup=False, emoji=False, highlight=False, **console))
    return out.getvalue()


def lines_with(text: str, word: str) -> str:
    """The lines that hold `word`, each with single spaces."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if word in line)


def test_the_tree_has_the_layout_of_the_guide() -> None:
    text = printed(a_summary())
    assert "14 Nov 2026 09:30 to 21 Nov 2026 09:30" in text
    assert "Total costs $487.00" in lines_with(text, "Total costs")
    tree = [line for line in text.splitlines() if "──" in line]
    assert [" ".join(line.split()) for line in tree] == [
        "├── production $423.00 87% 2,372 of 2,400 99%",
        "│ ├── chat $245.00 58% 800 of 800 100%",
        "│ ├── document-analysis $127.00 30% 800 of 800 100%",
        "│ └── search $51.00 12% 772 of 800 96%",
        "└── development $64.00 13% 400 of 400 100%",
    ]


def test_amounts_stand_under_each_other_at_every_level() -> None:
    lines = [line for line in printed(a_summary()).splitlines() if "$" in line and ("──" in line or "Total" in line)]
    assert len(lines) == 6
    assert len({line.index(".00") for line in lines}) == 1


def test_users_are_listed_with_their_tier() -> None:
    text = printed(a_summary())
    assert lines_with(text, "Tier") == "Cost Requests priced Tokens priced Tier"
    assert lines_with(text, "user-789") == "1. user-789 $42.50 9 of 9 100% premium"
    assert lines_with(text, "(no user)") == "2. (no user) $0.000100 1 of 1 100%"


def test_tiers_are_not_spoken_of_where_nobody_has_one() -> None:
    users = [UserSpend(user_id="u", tier=None, **spent("1"))]
    assert "ier" not in printed(a_summary(top_users=users))


@pytest.mark.parametrize("width", range(40, 130, 3))
def test_amounts_are_whole_and_names_are_cut_however_narrow_the_terminal(width: int) -> None:
    users = [
        UserSpend(user_id=name, tier="x" * 50, **spent("1234567.89", 10**7))
        for name in ("u" * 300, "漢" * 90, "a user of many words " * 9)
    ]
    environments = [
        EnvironmentSpend(name="environment " * 20, share=0.995, features=[], **spent("7654321.09", 10**7, 3))
    ]
    text = printed(a_summary(top_users=users, environments=environments), width=width)
    assert (text.count("$1,234,567.89"), text.count("$7,654,321.09")) == (3, 1)
    with_figures = [line for line in text.splitlines() if "," in line and "$" in line]
    assert max(map(cell_len, with_figures)) <= width


def test_at_80_columns_nothing_of_the_guides_week_is_left_out_or_broken() -> None:
    wide, narrow = printed(a_summary(), width=200), printed(a_summary(), width=80)
    assert narrow.split() == wide.split()
    assert [line for line in narrow.splitlines() if "$" in line] == [line for line in wide.splitlines() if "$" in line]


def test_the_cache_is_reported_by_rate_and_savings() -> None:
    text = printed(a_summary())
    assert lines_with(text, "Hit rate") == "Hit rate: 23% (312 of 1,356 requests that allowed it)"
    assert lines_with(text, "Savings") == "Savings: $112.00"
    unused = CacheUse(hits=0, requests=0, hit_rate=None, savings_usd=Decimal(0), unpriced_hits=0)
    assert "No request allowed a response from the cache." in printed(a_summary(cache=unused))


def test_what_has_no_price_is_named_and_coverage_is_never_rounded_up_to_all() -> None:
    text = printed(a_summary())
    assert "28 of 2,800 requests could not be priced.\n" in text
    assert "Priced: 99% of requests, 99.5% of tokens.\n" in text
    assert lines_with(text, "acme-7b") == "acme-7b (OPENAI): 26 requests, no price is known for this model"
    missing = lines_with(text, "no model named")
    assert missing == "(no model named) (OPENAI): 2 requests, the provider reported no usage"
    nearly = Spend(**spent("1", 90_000, 1) | {"priced_token_share": None})
    assert "Priced: 99.9% of requests." in printed(a_summary(total=nearly))


def test_a_share_of_tokens_that_leaves_out_unknown_ones_says_so() -> None:
    missing = {"priced_token_share": 1.0, "unpriced_requests_without_tokens": 2}
    total = Spend(**spent("1", 9, 2) | missing)
    user = UserSpend(user_id="user-1", tier=None, **spent("1", 3, 2) | missing)
    text = printed(a_summary(total=total, top_users=[user]))
    assert "Priced: 78% of requests, 100% of known tokens; 2 requests with unknown token counts.\n" in text
    assert lines_with(text, "Total costs") == "Total costs $1.00 7 of 9 100% of known"
    assert lines_with(text, "user-1") == "1. user-1 $1.00 1 of 3 100% of known"
    none = Spend(**spent(None, 2, 2) | {"priced_token_share": None, "unpriced_requests_without_tokens": 2})
    assert "Priced: 0% of requests; 2 requests with unknown token counts.\n" in printed(a_summary(total=none))


def test_a_cost_of_which_nothing_is_known_is_no_zero() -> None:
    user = UserSpend(user_id="user-1", tier=None, **spent(None, 3, 3))
    environment = EnvironmentSpend(name="lab", share=None, features=[], **spent(None, 3, 3))
    text = printed(a_summary(total=Spend(**spent(None, 3, 3)), environments=[environment], top_users=[user]))
    assert lines_with(text, "Total costs") == "Total costs unknown 0 of 3 0%"
    assert lines_with(text, "lab") == "└── lab unknown 0 of 3 0%"
    assert lines_with(text, "user-1") == "1. user-1 unknown 0 of 3 0%"


def test_a_full_and_an_empty_period_say_so() -> None:
    full = printed(a_summary(total=Spend(**spent("1")), unpriced=[]))
    assert "Nothing: every request has a known cost." in full
    text = printed(a_summary(total=Spend(**spent("0", 0)), environments=[], top_users=[], unpriced=[]))
    assert lines_with(text, "$") == "Total costs $0.00 0 of 0"


def test_costs_in_doubt_are_counted_beside_those_that_are_unknown() -> None:
    doubt = "In the total, and in doubt: 3 requests whose reported cost contradicts the calculated one."
    assert "in doubt" not in printed(a_summary())
    for summary in (a_summary(disputed_requests=3), a_summary(disputed_requests=3, total=Spend(**spent("1")))):
        text = printed(summary)
        assert doubt in text
        assert text.count("farebox doctor") == 1


def test_a_pipe_gets_no_colour_codes_and_a_terminal_does() -> None:
    assert "\x1b" not in printed(a_summary())
    assert "\x1b[" in printed(a_summary(), force_terminal=True, color_system="standard")


def test_small_amounts_are_not_shown_as_nothing() -> None:
    assert [usd(Decimal(amount)) for amount in ("0", "0.000123", "0.01", "1234.5", "-2", "0.0000004")] == [
        "$0.00",
        "$0.000123",
        "$0.01",
        "$1,234.50",
        "-$2.00",
        "<$0.000001",
    ]
    assert usd(None) == "unknown"


def test_shares_are_rounded_neither_to_nothing_nor_to_all() -> None:
    assert [percent(share) for share in (0.0, 0.0008, 0.0099, 0.01, 0.5, 0.9996, 1.0)] == [
        "0%", "<1%", "<1%", "1%", "50%", "99.9%", "100%",
    ]  # fmt: skip


def test_what_to_type_about_what_is_left_out_is_never_broken() -> None:
    out, doctor = io.StringIO(), "farebox doctor --url http://127.0.0.1:8788 --data '/a long/way'"
    compile_report(a_summary(), Console(file=out, width=40), doctor=doctor)
    assert out.getvalue().endswith(f"\n  What to do about it:\n    {doctor}\n")


def test_json_keeps_every_digit() -> None:
    exact = "1234567890.123456789012"
    reported = as_json({"total": {"cost_usd": Decimal(exact)}})
    assert exact in reported
    assert json.loads(reported, parse_float=Decimal)["total"]["cost_usd"] == Decimal(exact)


def test_savings_say_how_many_hits_they_leave_out() -> None:
    some = CacheUse(hits=9, requests=9, hit_rate=1, savings_usd=Decimal(2), unpriced_hits=3)
    assert "$2.00, not counting 3 hits of unknown savings\n" in printed(a_summary(cache=some))
    none = CacheUse(hits=9, requests=9, hit_rate=1, savings_usd=None, unpriced_hits=9)
    assert "Savings:   unknown\n" in printed(a_summary(cache=none))


SEALS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "Complete until 21 Nov 2026 09:30:05 (UTC): no event waits to be counted."),
    (
        {"state": SealState.WAITING, "events_waiting": 60, "reason": "no worker runs"},
        "Complete until 21 Nov 2026 09:30:05 (UTC) only: 60 events wait to be counted (no worker runs).",
    ),
    (
        {"state": SealState.WAITING, "events_waiting": 1, "complete_until": None, "reason": "no worker runs"},
        "Not known to be complete: 1 event waits to be counted (no worker runs).",
    ),
    (
        {"state": SealState.UNKNOWN, "complete_until": None, "reason": "the event log is unreachable"},
        "It is unknown whether this is complete: the event log is unreachable.",
    ),
    ({"dead_lettered_events": 3}, "3 events became no rows and are in no total: see `farebox dead-letters`."),
)


@pytest.mark.parametrize(("seal", "sentence"), SEALS)
def test_the_report_says_how_complete_it_is(seal: dict[str, Any], sentence: str) -> None:
    text = printed(a_summary(seal=a_seal(**seal)))
    assert sentence in text
    assert "Priced: 99% of requests and 99.5% of tokens." in text
