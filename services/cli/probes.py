"""Whether the parts of a running Farebox answer over HTTP, and what their counters say."""

from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

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
    trouble: str = ""
    warnings: Sequence[str] = ()
    error: _Error = _Error()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One process as it was found."""

    name: str
    ok: bool | None  # None when nothing told
    told: str
    warnings: Sequence[str] = ()  # what works, and needs somebody all the same
    counts: Mapping[str, int] = {}  # what it counts and how it is; empty when it does not tell
    unknown_headers: Mapping[str, int] = {}  # how often requests had them, by name

    @property
    def alarms(self) -> list[str]:
        """What somebody should look at: as it is, and what happened since the process was started."""
        return [*self.warnings] + [
            f"{self.counts[name]:,} {why}" for name, why in ALARMS.items() if self.counts.get(name)
        ]


def query_part(url: str) -> Part:
    """The query service, which also knows whether its stores answer."""
    try:
        status, _ = _page(f"{url}/readyz")
    except OSError:
        return Part(name="query", ok=False, told=f"nothing answers at {url}")
    if status != 200:
        return Part(name="query", ok=False, told=f"{url} answers, but its warehouse or its state database does not")
    return Part(name="query", ok=True, told=url)


def counting_part(name: str, url: str) -> Part:
    """The proxy, or a worker: alive or not, and its counters."""
    try:
        status, health = _page(f"{url}/healthz")
        shown, metrics = _page(f"{url}/metrics")
    except OSError:
        return Part(name=name, ok=False, told=f"nothing answers at {url}")
    if status == 503:
        return Part(name=name, ok=False, told=f"{url} answers, but not all of it works: {_trouble(health)}")
    if shown == 403:
        return Part(name=name, ok=False, told=f"{url} shows its metrics under other names only: see FAREBOX_HOSTS")
    counts, unknown_headers = _counts(metrics)
    if status != 200 or _OWN_COUNTER[name] not in counts:
        return Part(name=name, ok=False, told=f"what answers at {url} is not Farebox's {name}")
    return Part(
        name=name,
        ok=True,
        told=url,
        counts=counts,
        warnings=_health(health).warnings,
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
    except (ValueError, KeyError):  # what answers is not Farebox's
        return {}, {}
    return counts, unknown_headers


def worker_inside(proxy: Part, address: str) -> Part:
    """The worker where none answers at `address`: `farebox up` has one inside, and its proxy says so."""
    if proxy.counts.get("accounting"):
        return Part(name="worker", ok=True, told=f"inside `farebox up`, {proxy.told}")
    return Part(name="worker", ok=None, told=f"nothing answers at {address}")


def _trouble(health: str) -> str:
    """The proxy answers with an error, a worker with its health."""
    told = _health(health)
    return told.trouble or told.error.message or "it does not say why"


def _health(text: str) -> _Health:
    try:
        return msgspec.json.decode(text, type=_Health)
    except msgspec.DecodeError:
        return _Health()


def _page(url: str) -> tuple[int, str]:
    """Status and text. Raises: OSError when nothing answers."""
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - addresses come from the operator
            return answer.status, answer.read().decode(errors="replace")
    except HTTPError as refusal:
        return refusal.code, refusal.read().decode(errors="replace")
    except (URLError, HTTPException, ValueError) as error:
        raise OSError(str(error)) from error
