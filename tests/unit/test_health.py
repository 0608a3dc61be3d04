"""What a process says of its health."""

import json

from services.telemetry.health import Health


def test_a_process_is_ok_until_a_part_reports_otherwise() -> None:
    health = Health()
    assert (json.loads(health.render()), health.unhealthy_reason) == ({"status": "ok"}, "")


def test_warnings_degrade_a_process_that_works() -> None:
    health = Health()
    warnings: list[str] = []
    health.warnings["journal"] = lambda: warnings
    assert json.loads(health.render()) == {"status": "ok"}, "they are read when asked for"
    warnings.append("a file is damaged")
    assert json.loads(health.render()) == {"status": "degraded", "warnings": ["a file is damaged"]}
    assert health.unhealthy_reason == ""


def test_a_process_is_unavailable_for_all_its_reasons_until_they_are_withdrawn() -> None:
    health = Health()
    health.warnings["journal"] = lambda: ["a file is damaged"]
    health.failures |= {"log": "the disk is full", "worker": "no warehouse"}
    assert health.unhealthy_reason == "the disk is full; no warehouse"
    assert json.loads(health.render()) == {"status": "unavailable", "reason": "the disk is full; no warehouse"}
    del health.failures["log"]
    assert health.unhealthy_reason == "no warehouse"
