"""Whether this process does its work: what keeps a part from it, and what an operator should look at all the same."""

import json
from collections.abc import Callable, Mapping, Sequence


class Health:
    """Parts report here; `/healthz` and two gauges show it. Read from any thread."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}  # why a part of the process does not do its work now, by part
        self.warnings: dict[str, Callable[[], Sequence[str]]] = {}  # what works, and needs an operator, by part

    @property
    def unhealthy_reason(self) -> str:
        """Why the process does not do all of its work; "" when it does."""
        return "; ".join(dict(self.failures).values())

    def current_warnings(self) -> Sequence[str]:
        """What an operator should look at though everything works, such as a damaged journal file."""
        return [warning for warnings in dict(self.warnings).values() for warning in warnings()]

    def render(self) -> str:
        """`{"status": "ok"}` as a line of JSON; or `degraded` with warnings, or `unavailable` with the reason."""
        if self.unhealthy_reason:
            return _line({"status": "unavailable", "reason": self.unhealthy_reason})
        warnings = self.current_warnings()
        return _line({"status": "degraded", "warnings": warnings} if warnings else {"status": "ok"})


def _line(content: Mapping[str, object]) -> str:
    return json.dumps(content, separators=(",", ":")) + "\n"
