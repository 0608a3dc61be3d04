"""Tables of reports and anomalies: what is compared stands side by side, and no name is cut that says what is meant."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from services.cli.report.anomalies import SealedAnomalies, anomaly_lines
from services.cli.report.table import SealedReport, report_lines
from services.settings.processes import ReportSettings
from tests.unit.test_report import a_seal

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


def compared(before: str | None, relative: float | None) -> dict[str, Any]:
    change = {"absolute": Decimal(1), "relative": relative}
    return {"measures": {"cost_usd": before}, "change": {"cost_usd": change}}


def test_a_comparison_stands_beside_each_figure() -> None:
    known = {"attempts": 3, "unpriced_requests": 0, "priced_token_share": 1.0}
    figures = [("free", 30, compared("40", -0.25), "both"), ("new", 5, compared("0", None), "new")]
    rows = [
        {"by": [tier], "measures": {"cost_usd": Decimal(usd), **known}, "compared": {**before, "presence": presence}}
        for tier, usd, before, presence in figures
    ]
    report = SealedReport.model_validate(
        {
            "start": MAY,
            "end": JUNE,
            "rows": rows,
            "rest": None,
            "total": {"cost_usd": Decimal(35), **known},
            "truncated": False,
            "compared": {"start": MAY, "end": MAY, "total": compared("40", -0.125), "rest": None},
            "seal": a_seal(),
        }
    )
    lines = [line.plain for line in report_lines(report, by=["UserTier"], measures=["cost_usd"], zone=UTC, width=80)]
    assert lines[1] == "Compared with 1 May 2026 00:00 to 1 May 2026 00:00 (UTC)"
    assert lines[3].split()[:4] == ["UserTier", "cost_usd", "cost_usd", "before"]
    assert lines[4].split()[:4] == ["free", "$30.00", "$40.00", "-25%"]
    assert lines[5].split()[:3] == ["new", "$5.00", "$0.00"]
    assert lines[6].split()[:4] == ["Total", "$35.00", "$40.00", "-12%"]


def test_at_80_columns_it_is_readable_whose_anomaly_it_is() -> None:
    user = "a-user-with-a-name-of-some-length@company.example"
    anomaly = {
        "group": {"user_id": user},
        "measure": "cost_usd",
        "unit": "USD",
        "direction": "fall",
        "state": "ended",
        "since": MAY,
        "until": JUNE,
        "actual": 1,
        "expected": 95,
        "expected_low": 80,
        "expected_high": 110,
        "excess": -94,
        "score": 8.2,
        "bucket": "day",
        "season": "hour_of_week",
        "requests": 3,
        "unpriced_requests": 0,
        "complete": True,
        "drivers": [],
    }
    found = SealedAnomalies.model_validate(
        {
            "start": MAY,
            "end": JUNE,
            "history_start": MAY,
            "anomalies": [anomaly],
            "truncated": False,
            "coverage": [],
            "not_judged": [],
            "seal": a_seal(),
        }
    )
    lines = [line.plain for line in anomaly_lines(found, zone=UTC, width=80)]
    assert f"cost_usd: user_id {user}" in lines
    (figures,) = [line for line in lines if "$94.00" in line]
    assert figures.split()[:3] == ["-$94.00", "$1.00", "$95.00"]
    assert figures.endswith("8")


def test_commands_ask_at_the_port_that_the_query_service_has() -> None:
    assert ReportSettings.from_environ({}).service_url == "http://127.0.0.1:8788"
    assert ReportSettings.from_environ({"FAREBOX_QUERY_PORT": "9001"}).service_url == "http://127.0.0.1:9001"
    named = {"FAREBOX_URL": "https://farebox.example", "FAREBOX_QUERY_PORT": "9001"}
    assert ReportSettings.from_environ(named).service_url == "https://farebox.example"
