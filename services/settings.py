"""Every setting of every process: read once from a mapping, in `__main__`, into a frozen class.

A field `flush_rows` of a class is the variable FAREBOX_FLUSH_ROWS. deploy/env.example lists all; a test compares.
"""

import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import InvalidSetting
from schemas.omission import Omission

PREFIX = "FAREBOX_"

_WEB = r"^https?://[^/\s]\S*$"
_HOSTS = r"^ *((\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)* *(, *(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)* *)*)?$"


# Of a Service `farebox` or `farebox-proxy`. Source: https://kubernetes.io/docs/concepts/services-networking/service/
_LINK = re.compile(
    PREFIX + r"(\w+?_)??(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|(?P<url>PORT))"
)
_LINK_URL = re.compile(r"(tcp|udp|sctp)://\S+")


def service_links(environ: Mapping[str, str]) -> list[str]:
    """The variables that Kubernetes, or a container engine with links, adds for services whose names begin alike.

    FAREBOX_PROXY_PORT is a setting of ours, and theirs only with an address as its value.
    """
    found = {name: _LINK.fullmatch(name) for name in environ}
    return sorted(
        name for name, match in found.items() if match and (not match["url"] or _LINK_URL.fullmatch(environ[name]))
    )


class Settings(BaseModel):
    """What all processes share."""

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
    query_url: str = Field(
        "",
        pattern=rf"^$|{_WEB}",
        description="Where clients reach the query service, for `signed_body_url` and for the proxy, which names it to "
        "those who ask there; when empty, the address that a client asked",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much the processes log, as JSON lines on standard error"
    )
    hosts: str = Field(
        "",
        pattern=_HOSTS,
        description="DNS names under which pages that need no key (/metrics, /docs, /openapi.json) are shown too, as "
        "NAME[,NAME...]; *.example.com stands for all below. Addresses, localhost and names without a dot always are",
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """What Kubernetes adds for its services (see `service_links`) is left out.

        Raises: InvalidSetting, which names the variable and what is wrong with it.
        """
        known = {name for kind in ALL_SETTINGS for name in kind.model_fields}
        links = service_links(environ)
        given = {
            name[len(PREFIX) :].lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX) and name not in links
        }
        # FAREBOX_TEST_… tell the tests where a server is, and may stand in the environment of any process.
        unknown = sorted(name for name in given if name not in known and not name.startswith("test_"))
        if unknown:
            raise InvalidSetting(f"unknown setting {PREFIX}{unknown[0].upper()}")
        try:
            return cls.model_validate({name: value for name, value in given.items() if name in cls.model_fields})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = str(first["loc"][0])
            # The pattern says little to people. The value is not told: it may hold a password.
            is_malformed = first["type"] == "string_pattern_mismatch"
            wrong = f" is malformed: {cls.model_fields[field].description}" if is_malformed else f": {first['msg']}"
            raise InvalidSetting(f"setting {PREFIX}{field.upper()}{wrong}") from None


# Of every process that takes events in: the query service takes logged calls too.
_OMIT_BODIES = Field(
    Omission.NONE,
    description="Bodies that are kept of nobody, beside those that clients omit: none, request, response or both. "
    "What they cost is known all the same",
)
_CAPTURE_BYTES = Field(
    4 * 2**20,
    ge=0,
    description="How much of each body is kept, and of a larger answer its end too; the rest passes and is counted",
)
_KAFKA_SPILL = Field("data/spill.sqlite", description="Journal file that keeps events while Kafka is unreachable")


class ProxySettings(Settings):
    proxy_host: str = Field("127.0.0.1", description="Address the proxy listens on")
    proxy_port: int = Field(8787, ge=0, le=65535, description="Port the proxy listens on")
    openai_url: str = Field(
        "https://api.openai.com",
        pattern=_WEB,
        description="Where /oai goes: scheme and host, with or without a path before /v1",
    )
    anthropic_url: str = Field(
        "https://api.anthropic.com", pattern=_WEB, description="Where /anthropic goes: scheme and host likewise"
    )
    unauthenticated: Literal["refuse", "pass"] = Field(
        "refuse",
        description="Requests without a valid Helicone-Auth: refuse with 401, or pass them on unlogged and count them",
    )
    ignore_headers: str = Field(
        "",
        description="Headers that are refused because they do not work yet (Helicone-RateLimit-Policy and others), and "
        "are to be passed over instead, as NAME[,NAME...]",
    )
    durability: Literal["relaxed", "standard", "strict"] = Field(
        "standard",
        description="When an event is on the disk, which matters when the machine fails: relaxed, 50 ms and a write "
        "after the response; standard, 10 ms and a write; strict, before its last byte",
    )
    capture_bytes: int = _CAPTURE_BYTES
    capture_total_bytes: int = Field(
        256 * 2**20,
        ge=0,
        description="How much all bodies in flight may hold; above it bodies are not kept, traffic goes on",
    )
    omit_bodies: Omission = _OMIT_BODIES
    max_head_bytes: int = Field(
        32 * 2**10,
        ge=1024,
        description="Largest request head, also of what comes around a body (trailers, extensions); above it 431",
    )
    max_body_bytes: int = Field(64 * 2**20, ge=0, description="Largest request body; above it 413")
    connect_timeout_s: float = Field(5, gt=0, description="Seconds allowed to connect to the provider")
    first_byte_timeout_s: float = Field(
        600, gt=0, description="Seconds from the request's end to the first byte of the response"
    )
    idle_timeout_s: float = Field(
        120, gt=0, description="Seconds between two pieces of a response, or of a request's body"
    )
    total_timeout_s: float = Field(3600, gt=0, description="Seconds for the whole exchange")
    max_connections: int = Field(1000, gt=0, description="Most connections to one provider; further requests wait")
    stream_usage: Literal["inject", "off"] = Field(
        "inject",
        description="OpenAI chat and completion streams whose clients do not ask for usage: ask, and take the response "
        "out, or do not",
    )
    on_disconnect: Literal["drain", "cancel"] = Field(
        "drain", description="Answers whose client has gone: read on, to learn what is billed, or cancel"
    )
    drain_timeout_s: float = Field(120, gt=0, description="Seconds for which a response is read on without its client")
    drain_bytes: int = Field(4 * 2**20, ge=0, description="Bytes of it that are read on")
    drain_count: int = Field(256, ge=0, description="How many answers are read on at once; above it they are cancelled")
    kafka_spill: str = _KAFKA_SPILL


class WorkerSettings(Settings):
    flush_rows: int = Field(20_000, gt=0, description="Rows after which a batch is written")
    flush_bytes: int = Field(16 * 2**20, gt=0, description="Event bytes after which a batch is written")
    flush_s: float = Field(1, gt=0, description="Seconds after which a batch is written, full or not")
    max_dead_letter_ratio: float = Field(
        0.01,
        gt=0,
        le=1,
        description="More than this share of unusable events stops the worker, with nothing lost; 1 never does. "
        "Events put aside are listed by `farebox dead-letters`",
    )
    worker_group: str = Field(
        "farebox-workers",
        description="Kafka consumer group; the journal's consumer name. Under another one all that the log still keeps "
        "is read again, which changes nothing; a journal keeps what a name has not read until it is unused for 3 days",
    )
    worker_port: int = Field(8790, ge=0, le=65535, description="Port of the worker's health and metrics")
    worker_host: str = Field("127.0.0.1", description="Address of the worker's health and metrics")


class QuerySettings(Settings):
    query_host: str = Field("127.0.0.1", description="Address the query service listens on")
    query_port: int = Field(8788, ge=0, le=65535, description="Port the query service listens on")
    query_timeout_s: float = Field(30, gt=0, description="Seconds a question may take in the warehouse")
    capture_bytes: int = _CAPTURE_BYTES
    omit_bodies: Omission = _OMIT_BODIES
    kafka_spill: str = _KAFKA_SPILL


class MigrateSettings(Settings):
    kafka_partitions: int = Field(12, gt=0, description="Partitions of a topic that migrate creates")
    kafka_replication: int = Field(1, gt=0, description="Replicas of a topic that migrate creates; 3 in production")
    kafka_retention_hours: int = Field(168, gt=0, description="Hours for which the topics keep events")


class ReportSettings(Settings):
    url: str = Field("http://127.0.0.1:8788", description="Query service that the commands ask")
    key: str = Field("", description="Key that the commands show; the one in the data folder when empty")


ALL_SETTINGS: tuple[type[Settings], ...] = (
    ProxySettings,
    WorkerSettings,
    QuerySettings,
    MigrateSettings,
    ReportSettings,
)
