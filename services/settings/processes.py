"""Every setting of every process: parsed once from a mapping, in `__main__`, into a frozen class.

A field `flush_rows` of a class is the variable FAREBOX_FLUSH_ROWS. The settings of providers' base URLs are made from
`domain/providers`. deploy/env.example lists all settings; a test compares.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from schemas.errors import InvalidSetting
from schemas.key import MissingTags
from schemas.omission import Omission
from schemas.query_limits import QueryLimits
from services.domain.providers.catalog import ROUTED
from services.settings import budgets, cache, channels, limits, shared
from services.settings.base_urls import ANY_WEB, base_url_fields
from services.settings.environment import PREFIX, service_links
from services.settings.otlp import OtlpSettings, standard_otlp

# Settings that have the value of a variable that all programs know, unless they are set themselves.
_STANDARD = {"egress_proxy": "HTTPS_PROXY", "no_proxy": "NO_PROXY"}


class Settings(BaseModel):
    """The settings of all processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_log: str = Field(
        "journal:data/journal.sqlite",
        pattern=r"^(journal:.+|kafka://[^,\s]+:\d+(,[^,\s]+:\d+)*)$",
        description="journal:FILE, or kafka://HOST:PORT[,HOST:PORT...]",
    )
    warehouse: str = Field(
        "chdb:data/warehouse",
        pattern="^(chdb:.|https?://[^/])",
        description="chdb:FOLDER, or http(s)://USER:PASSWORD@HOST:PORT/DATABASE",
    )
    state: str = Field(
        "sqlite:///data/state.sqlite",
        pattern=r"^(sqlite:///.|postgresql\+psycopg://.)",
        description="SQLAlchemy URL of keys, prices and re-pricings: "
        "sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    )
    encryption_key: str = shared.ENCRYPTION_KEY
    cache_url: str = cache.CACHE_URL
    budgets_url: str = budgets.BUDGETS_URL
    query_url: str = Field(
        "",
        pattern=ANY_WEB,
        description="Where clients reach the query service, for `signed_body_url` and for the proxy, which names it to "
        "clients that send queries there; when empty, the address that a client used",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much the processes log, as JSON lines on standard error"
    )
    hosts: str = shared.HOSTS

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """The settings in `environ`, without what Kubernetes adds for its services (see `service_links`).

        Raises: InvalidSetting, which names the variable and what is wrong with it.
        """
        known = {name for kind in ALL_SETTINGS for name in kind.model_fields}
        links = service_links(environ)
        given = {
            name[len(PREFIX) :].lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and name not in links
        }
        # FAREBOX_TEST_… name the tests' servers, and may be in the environment of any process.
        unknown = sorted(name for name in given if name not in known and not name.startswith("test_"))
        if unknown:
            raise InvalidSetting(f"unknown setting {PREFIX}{unknown[0].upper()}")
        for name, standard in _STANDARD.items():
            given[name] = given.get(name) or environ.get(standard) or environ.get(standard.lower()) or ""
        given |= standard_otlp(environ, given) if issubclass(cls, OtlpSettings) else {}
        try:
            return cls.model_validate({name: value for name, value in given.items() if name in cls.model_fields})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = str(first["loc"][0])
            # The description is clearer than the pattern. The value is left out: it may contain a password.
            is_malformed = first["type"] == "string_pattern_mismatch"
            wrong = f" is malformed: {cls.model_fields[field].description}" if is_malformed else f": {first['msg']}"
            raise InvalidSetting(f"setting {PREFIX}{field.upper()}{wrong}") from None


if TYPE_CHECKING:
    _BaseUrls = Settings
else:
    _BaseUrls = create_model("_BaseUrls", __base__=Settings, **base_url_fields())


class ProxySettings(_BaseUrls):
    proxy_host: str = Field("127.0.0.1", description="Address the proxy listens on")
    proxy_port: int = Field(8787, ge=0, le=65535, description="Port the proxy listens on")
    unauthenticated: Literal["refuse", "pass"] = Field(
        "refuse",
        description="Requests without a valid Helicone-Auth: refuse with 401, or forward them unlogged and count them",
    )
    ignore_headers: str = Field(
        "",
        description="Headers to ignore, of those that are refused because they are not implemented yet "
        "(Helicone-Moderations-Enabled and others), as NAME[,NAME...]",
    )
    target_hosts: str = Field(
        "",
        description="Servers that clients may name by Helicone-Target-URL and Helicone-OpenAI-Api-Base, beside the "
        "known providers': NAME, *.NAME for its subdomains, * for any name, or an address, each with :PORT where it is "
        "not 443, as HOST[,HOST...]. Names may lead to public addresses only",
    )
    key_concurrency: int = Field(
        0, ge=0, description="Most requests of one API key at once; above it 429. 0: any number"
    )
    allowed_origins: str = Field(
        "",
        pattern=r"^ *(\*|https?://[^\s,/]+( *, *https?://[^\s,/]+)*)? *$",
        description="Web pages that browsers let call the proxy, as https://HOST[,https://HOST...], or *",
    )
    egress_proxy: str = shared.EGRESS_PROXY
    no_proxy: str = shared.NO_PROXY
    ca_file: str = shared.CA_FILE
    durability: Literal["relaxed", "standard", "strict"] = Field(
        "standard",
        description="When an event is on disk, in case the machine fails: relaxed, 50 ms and a write after the "
        "response; standard, 10 ms and a write after it; strict, before its last byte",
    )
    capture_bytes: int = shared.CAPTURE_BYTES
    capture_total_bytes: int = Field(
        256 * 2**20,
        ge=0,
        description="Bytes captured of all bodies in flight together; above it none are captured, traffic goes on",
    )
    omit_bodies: Omission = shared.OMIT_BODIES
    missing_tags: MissingTags = shared.MISSING_TAGS
    proxy_id: str = shared.PROXY_ID
    max_head_bytes: int = Field(
        32 * 2**10,
        ge=1024,
        description="Largest request head, and largest trailers and chunk extensions of a body; above it 431",
    )
    max_body_bytes: int = Field(64 * 2**20, ge=0, description="Largest request body; above it 413")
    connect_timeout_s: float = Field(5, gt=0, description="Seconds allowed to connect to the provider")
    first_byte_timeout_s: float = Field(
        600, gt=0, description="Seconds from the request's end to the first byte of the response"
    )
    idle_timeout_s: float = Field(
        120, gt=0, description="Seconds between two chunks of a response, or of a request's body"
    )
    total_timeout_s: float = Field(3600, gt=0, description="Seconds for the whole exchange")
    max_connections: int = Field(1000, gt=0, description="Most connections to one provider; further requests wait")
    stream_usage: Literal["inject", "off"] = Field(
        "inject",
        description="Chat and completion streams that report usage only if `include_usage` is set: set it and strip "
        "the extra chunk, unless the client sets it, or leave requests unchanged",
    )
    added_header: Literal["off", "on"] = Field(
        "off", description="Whether responses say in Farebox-Added-Us how many microseconds Farebox added to them"
    )
    on_disconnect: Literal["drain", "cancel"] = Field(
        "drain", description="Responses whose client disconnected: read to the end, for their usage, or cancel"
    )
    drain_timeout_s: float = Field(120, gt=0, description="Seconds for which a response is read without its client")
    drain_bytes: int = Field(4 * 2**20, ge=0, description="Bytes of it that are read")
    drain_count: int = Field(
        256, ge=0, description="Responses read without their clients at once; above it they are cancelled"
    )
    cache_bytes: int = cache.CACHE_BYTES
    cache_entry_bytes: int = cache.CACHE_ENTRY_BYTES
    cache_scope: Literal["credentials", "organization"] = cache.CACHE_SCOPE
    cache_timeout_s: float = cache.CACHE_TIMEOUT_S
    cache_wait_s: float = cache.CACHE_WAIT_S
    limits_url: str = limits.LIMITS_URL
    limits_failure: Literal["open", "closed"] = limits.LIMITS_FAILURE
    limits_timeout_s: float = limits.LIMITS_TIMEOUT_S
    budgets_failure: Literal["open", "closed"] = budgets.BUDGETS_FAILURE
    budgets_timeout_s: float = budgets.BUDGETS_TIMEOUT_S
    kafka_spill: str = shared.KAFKA_SPILL

    def base_urls(self) -> dict[str, str]:
        """The base URL of each provider that calls are forwarded to, by its stored name."""
        return {provider.name: getattr(self, provider.setting) for provider in ROUTED}


class WorkerSettings(OtlpSettings, Settings):
    flush_rows: int = Field(20_000, gt=0, description="Rows after which a batch is written")
    flush_bytes: int = Field(16 * 2**20, gt=0, description="Event bytes after which a batch is written")
    flush_s: float = Field(1, gt=0, description="Seconds after which a batch is written, full or not")
    max_dead_letter_ratio: float = Field(
        0.01,
        gt=0,
        le=1,
        description="A higher share of dead-lettered events in a batch stops the worker, with nothing lost; 1 never "
        "does. `farebox dead-letters` lists them",
    )
    worker_group: str = shared.WORKER_GROUP
    worker_port: int = Field(8790, ge=0, le=65535, description="Port of the worker's health and metrics")
    worker_host: str = Field("127.0.0.1", description="Address of the worker's health and metrics")
    egress_proxy: str = shared.EGRESS_PROXY
    no_proxy: str = shared.NO_PROXY
    ca_file: str = shared.CA_FILE


class QueryingSettings(Settings):
    """Of the processes that ask the warehouse on behalf of organizations."""

    query_timeout_s: float = Field(30, gt=0, description="Seconds a query may take in the warehouse; above it 422")
    query_max_read_rows: int = Field(
        1_000_000_000, ge=1_000_000, description="Rows of the warehouse that a query may read; above it 422"
    )
    query_max_memory_bytes: int = Field(
        2 * 2**30, ge=64 * 2**20, description="Bytes of memory that a query may take in the warehouse; above it 422"
    )
    query_max_result_rows: int = Field(
        1_000_000, ge=100_000, description="Rows that a query may return from the warehouse; above it 422"
    )

    def limits(self) -> QueryLimits:
        """Of one query."""
        return QueryLimits(
            time_s=self.query_timeout_s,
            read_rows=self.query_max_read_rows,
            memory_bytes=self.query_max_memory_bytes,
            result_rows=self.query_max_result_rows,
        )


class QuerySettings(QueryingSettings):
    query_host: str = Field("127.0.0.1", description="Address the query service listens on")
    query_port: int = shared.QUERY_PORT
    proxy_url: str = Field(
        "",
        pattern=ANY_WEB,
        description="Where clients reach the proxy, which the dashboard shows before the first request; `farebox up` "
        "knows it. When empty, port 8787 of the address that the dashboard was opened at",
    )
    capture_bytes: int = shared.CAPTURE_BYTES
    omit_bodies: Omission = shared.OMIT_BODIES
    missing_tags: MissingTags = shared.MISSING_TAGS
    proxy_id: str = shared.PROXY_ID
    kafka_spill: str = shared.KAFKA_SPILL
    worker_group: str = shared.WORKER_GROUP


class DeliverySettings(Settings):
    """Of the process that sends notices."""

    smtp_url: str = channels.SMTP_URL
    mail_from: str = channels.MAIL_FROM
    slack_token: str = channels.SLACK_TOKEN
    slack_url: str = channels.SLACK_URL
    pagerduty_url: str = channels.PAGERDUTY_URL
    egress_proxy: str = shared.EGRESS_PROXY
    no_proxy: str = shared.NO_PROXY
    ca_file: str = shared.CA_FILE


class SchedulerSettings(DeliverySettings, QueryingSettings):
    scheduler_port: int = Field(8791, ge=0, le=65535, description="Port of the scheduler's health and metrics")
    scheduler_host: str = Field("127.0.0.1", description="Address of the scheduler's health and metrics")
    heartbeat_url: str = channels.HEARTBEAT_URL
    worker_group: str = shared.WORKER_GROUP


class MigrateSettings(Settings):
    kafka_partitions: int = Field(12, gt=0, description="Partitions of a topic that migrate creates")
    kafka_replication: int = Field(1, gt=0, description="Replicas of a topic that migrate creates; 3 in production")
    kafka_retention_hours: int = Field(168, gt=0, description="Hours for which the topics keep events")


class ReportSettings(Settings):
    url: str = Field(
        "",
        description="Query service that the commands use; when empty, this machine's at FAREBOX_QUERY_PORT, as "
        "http://127.0.0.1:8788",
    )
    query_port: int = shared.QUERY_PORT
    key: str = Field("", description="API key of the commands; the one in the data folder when empty")

    @property
    def service_url(self) -> str:
        return self.url or f"http://127.0.0.1:{self.query_port}"


ALL_SETTINGS: tuple[type[Settings], ...] = (
    ProxySettings,
    WorkerSettings,
    QuerySettings,
    SchedulerSettings,
    MigrateSettings,
    ReportSettings,
)
