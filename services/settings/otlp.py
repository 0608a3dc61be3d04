"""The settings of what goes out to a receiver of OpenTelemetry."""

import logging
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

_URL: Final = r"^$|^https?://[^\s/?#]+[^\s#]*$"
_PAIRS: Final = r"^ *([^\s=,]+ *=[^,]*(, *[^\s=,]+ *=[^,]*)*,?)? *$"
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~\w-]+: [\t -~]*", re.ASCII)
_SIGNALS: Final = ("traces", "metrics")

# The variables that all programs with OpenTelemetry know. Sources:
# https://opentelemetry.io/docs/specs/otel/protocol/exporter/
# https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
STANDARD_OTLP: Final[Mapping[str, str]] = {
    "otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "otlp_traces_endpoint": "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "otlp_metrics_endpoint": "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "otlp_headers": "OTEL_EXPORTER_OTLP_HEADERS",
    "otlp_protocol": "OTEL_EXPORTER_OTLP_PROTOCOL",
    "otlp_service_name": "OTEL_SERVICE_NAME",
    "otlp_resource_attributes": "OTEL_RESOURCE_ATTRIBUTES",
}

logger = logging.getLogger("farebox")


class OtlpSettings(BaseModel):
    """Of the process that sends spans and metrics of calls. Each has the value of its standard variable when empty."""

    otlp_endpoint: str = Field(
        "",
        pattern=_URL,
        description="Receiver of OpenTelemetry that spans and metrics of calls are sent to, as http://HOST:4318; "
        "/v1/traces and /v1/metrics are added. When empty, OTEL_EXPORTER_OTLP_ENDPOINT, as with the six below; without "
        "any endpoint nothing is sent",
    )
    otlp_traces_endpoint: str = Field("", pattern=_URL, description="The whole URL that spans are sent to instead")
    otlp_metrics_endpoint: str = Field("", pattern=_URL, description="The whole URL that metrics are sent to instead")
    otlp_headers: str = Field(
        "", pattern=_PAIRS, description="Headers for the receiver, such as its key, as NAME=VALUE[,NAME=VALUE...]"
    )
    otlp_protocol: str = Field(
        "", pattern="^(http/protobuf)?$", description="http/protobuf, or empty: there is no other"
    )
    otlp_service_name: str = Field(
        "", max_length=200, description="The service.name of spans and metrics; farebox when empty"
    )
    otlp_resource_attributes: str = Field(
        "", pattern=_PAIRS, description="Attributes of the process that sends them, as NAME=VALUE[,NAME=VALUE...]"
    )

    @field_validator("otlp_endpoint", "otlp_traces_endpoint", "otlp_metrics_endpoint")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        """`url`, unless its host or port is none."""
        try:
            is_one = urlsplit(url).port != 0
        except ValueError:
            is_one = False
        return _unless_malformed(url, is_one=is_one)

    @field_validator("otlp_headers")
    @classmethod
    def _are_headers(cls, pairs: str) -> str:
        """`pairs`, unless one of them, decoded, is no header."""
        headers = (f"{name}: {value}" for name, value in _pairs_in(pairs).items())
        return _unless_malformed(pairs, is_one=all(map(_HEADER.fullmatch, headers)))

    def otlp_urls(self) -> dict[str, str]:
        """Where spans and metrics are sent, by signal; empty where nothing is."""
        own = {"traces": self.otlp_traces_endpoint, "metrics": self.otlp_metrics_endpoint}
        return _urls(self.otlp_endpoint, own)

    def otlp_header_values(self) -> dict[str, str]:
        """Of what is sent there, by name."""
        return _pairs_in(self.otlp_headers)

    def otlp_resource(self, instance_id: str) -> dict[str, str]:
        """Attributes of who sends: of this process, which nobody else is, so that sums of several are kept apart."""
        named = {"service.name": self.otlp_service_name} if self.otlp_service_name else {}
        return {"service.instance.id": instance_id} | _pairs_in(self.otlp_resource_attributes) | named


def standard_otlp(environ: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """What the standard variables say of the settings above that `own` leaves empty.

    They are set for all programs of a machine or cluster. So none of them stops this one: where one cannot be used, it
    is logged, and none of them counts.
    """
    urls = {} if own.get("otlp_endpoint") else _standard_urls(environ)
    if not (urls or any(own.get(f"otlp_{name}") for name in ("endpoint", "traces_endpoint", "metrics_endpoint"))):
        return {}
    others = {
        name: environ.get(variable, "") for name, variable in STANDARD_OTLP.items() if not name.endswith("endpoint")
    }
    found = {name: value for name, value in (urls | others).items() if value and not own.get(name)}
    try:
        OtlpSettings.model_validate(found)
    except ValidationError as error:
        wrong = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
        name = wrong if environ.get(STANDARD_OTLP[wrong]) else "otlp_endpoint"
        facts = {"variable": STANDARD_OTLP[name], "hint": f"FAREBOX_{name.upper()} comes before it"}
        logger.warning("OpenTelemetry's variables are ignored: one of them cannot be used", extra=facts)
        return {}
    return found


def _standard_urls(environ: Mapping[str, str]) -> dict[str, str]:
    """Of the signals that are sent by OTLP, by the names of their settings."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return {}
    exporters = {signal: environ.get(f"OTEL_{signal.upper()}_EXPORTER") or "otlp" for signal in _SIGNALS}
    own = {signal: environ.get(STANDARD_OTLP[f"otlp_{signal}_endpoint"], "") for signal in _SIGNALS}
    urls = _urls(environ.get(STANDARD_OTLP["otlp_endpoint"], ""), own)
    return {
        f"otlp_{signal}_endpoint": url
        for signal, url in urls.items()
        if any(name.strip().startswith("otlp") for name in exporters[signal].split(","))
    }


def _urls(base: str, own: Mapping[str, str]) -> dict[str, str]:
    """By signal: its own, else one below `base`."""
    below = base.rstrip("/")
    urls = {signal: own[signal] or (below and f"{below}/v1/{signal}") for signal in _SIGNALS}
    return {signal: url for signal, url in urls.items() if url}


def _unless_malformed(setting: str, *, is_one: bool) -> str:
    if not is_one:
        raise PydanticCustomError("string_pattern_mismatch", "is malformed")
    return setting


def _pairs_in(setting: str) -> dict[str, str]:
    """Percent-encoded, as in W3C's baggage."""
    pairs = (pair.partition("=") for pair in setting.split(",") if pair.strip())
    return {unquote(name.strip()): unquote(value.strip()) for name, _, value in pairs}
