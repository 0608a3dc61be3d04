"""Whether the parts of a running Farebox respond over HTTP, and what their counters show."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S: Final = 5
_OWN_COUNTER: Final = {"proxy": "proxy_requests_total", "worker": "worker_events_total"}  # what no other part shows

# What somebody should look at when it is not zero, and why.
ALARMS: Final[Mapping[str, str]] = {
    "log_lost_total": "events could not be kept: that spend is in no total. Look at the event log's disk, or at Kafka",
    "proxy_unauthenticated_passthrough_total": "requests passed without a valid key: their spend is in no total. "
    "Give these clients keys",
    "log_unreadable_total": "events stand in damaged parts of the journal: that spend is in no total. See `farebox "
    "journal salvage`",
    "accounting_restarts_total": "times accounting ended by itself and was restarted; calls passed and were kept. "
    "Look at its log lines, and at the machine's memory",
    "worker_dead_letters_total": "events became no rows: that spend is in no total. See `farebox dead-letters`",
}


class _Error(msgspec.Struct, frozen=True):
    message: str = ""


class _Health(msgspec.Struct, frozen=True):
    reason: str = ""
    warnings: Sequence[str] = ()
    error: _Error | str | None = _Error()
    seal: Any = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One process as it was found."""

    name: str
    ok: bool | None  # None when nothing is known
    detail: str
    warnings: Sequence[str] = ()  # what works, and needs somebody all the same
    seal: Any = None  # the query service's, as JSON has it
    counts: Mapping[str, int] = {}  # what it counts and how it is; empty when it shows none
    unknown_headers: Mapping[str, int] = {}  # how often requests had them, by name

    @property
    def alarms(self) -> list[str]:
        """What somebody should look at: as it is, and what happened since the process was started."""
        return [*self.warnings] + [f"{count:,} {why}" for name, why in ALARMS.items() if (count := self._count(name))]

    def _count(self, name: str) -> int:
        """Refused logs are dead letters too, but no spend is missing: what they would have replaced stands."""
        conflicts = self.counts.get("worker_log_conflicts_total", 0) if name == "worker_dead_letters_total" else 0
        return self.counts.get(name, 0) - conflicts


def query_part(url: str) -> Part:
    """The query service, which also knows whether its stores are reachable."""
    try:
        status, text = _page(f"{url}/readyz")
    except OSError:
        return Part(name="query", ok=False, detail=f"nothing responds at {url}")
    if status != 200:
        return Part(name="query", ok=False, detail=f"{url} responds, but not all of it works: {_reason(text)}")
    health = _health(text)
    return Part(name="query", ok=True, detail=url, warnings=health.warnings, seal=health.seal)


def counting_part(name: str, url: str) -> Part:
    """The proxy, or a worker: alive or not, and its counters."""
    try:
        status, health = _page(f"{url}/healthz")
        shown, metrics = _page(f"{url}/metrics")
    except OSError:
        return Part(name=name, ok=False, detail=f"nothing responds at {url}")
    counts, unknown_headers = _counts(metrics)
    is_counting = _OWN_COUNTER[name] in counts
    fault = _fault(name, url, status, health, shown, is_counting=is_counting)
    return Part(
        name=name,
        ok=not fault,
        detail=fault or url,
        counts=counts if is_counting else {},
        warnings=_warnings(health, counts.get("warnings", 0)),
        unknown_headers=unknown_headers,
    )


def _counts(exposition: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Values by metric, without the prefix; and those of the metric that has a value for each unknown header."""
    counts, unknown_headers = {}, {}
    try:
        for family in text_string_to_metric_families(exposition):
            for sample in family.samples:
                if sample.name == "farebox_proxy_unknown_headers_total":
                    unknown_headers[sample.labels["name"]] = int(sample.value)
                elif sample.name.startswith("farebox_") and not sample.labels:
                    counts[sample.name.removeprefix("farebox_")] = int(sample.value)
    except (ValueError, KeyError):  # what responds is not Farebox's
        return {}, {}
    return counts, unknown_headers


def _fault(name: str, url: str, status: int, health: str, shown: int, *, is_counting: bool) -> str:
    """What is wrong with the process at `url`; "" when all of it works. A broken one still shows what it counts."""
    if status == 503:
        return f"{url} responds, but not all of it works: {_reason(health)}"
    if shown == 403:
        return f"{url} shows its metrics under other names only: see FAREBOX_HOSTS"
    if status != 200 or not is_counting:
        return f"what responds at {url} is not Farebox's {name}"
    return ""


def worker_inside(proxy: Part, address: str) -> Part:
    """The worker where none responds at `address`: `farebox up` has one inside, as its proxy shows."""
    if proxy.counts.get("accounting"):
        return Part(name="worker", ok=proxy.ok or None, detail=f"inside `farebox up`, {proxy.detail}")
    return Part(name="worker", ok=None, detail=f"nothing responds at {address}")


def _warnings(health: str, count: int) -> Sequence[str]:
    """While the process is unavailable its health names no warnings; its metrics still count them."""
    unnamed = [f"{count:,} warnings, such as of a damaged journal: see `farebox journal salvage`"] if count else []
    return _health(health).warnings or unnamed


def _reason(health: str) -> str:
    """The proxy responds with an error, a worker with its health."""
    detail = _health(health)
    error = detail.error.message if isinstance(detail.error, _Error) else detail.error
    return detail.reason or error or "it gives no reason"


def _health(text: str) -> _Health:
    try:
        return msgspec.json.decode(text, type=_Health)
    except msgspec.DecodeError:
        return _Health()


def _page(url: str) -> tuple[int, str]:
    """Status and text. Raises: OSError when nothing responds."""
    try:
        response = httpx.get(url, timeout=_TIMEOUT_S, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise OSError(str(error)) from error
    return response.status_code, response.text
