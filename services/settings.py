"""Every setting of every process: read once from a mapping, in `__main__`, into a frozen class.

A field `flush_rows` of a class is the variable FAREBOX_FLUSH_ROWS. deploy/env.example lists all; a test compares.
"""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import InvalidSetting

PREFIX = "FAREBOX_"


class Settings(BaseModel):
    """What all processes share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_log: str = Field(
        "journal:data/journal.sqlite", description="journal:FILE, or kafka://HOST:PORT[,HOST:PORT...]"
    )
    warehouse: str = Field(
        "chdb:data/warehouse", description="chdb:FOLDER, or http(s)://USER:PASSWORD@HOST:PORT/DATABASE"
    )
    state: str = Field(
        "sqlite:///data/state.sqlite",
        description="SQLAlchemy URL of keys: sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much the processes log, as JSON lines on standard error"
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Raises: InvalidSetting, which names the variable and what is wrong with it."""
        known = {name for kind in ALL_SETTINGS for name in kind.model_fields}
        given = {name[len(PREFIX) :].lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
        unknown = sorted(name for name in given if name not in known and not name.startswith("test_"))
        if unknown:
            raise InvalidSetting(f"unknown setting {PREFIX}{unknown[0].upper()}")
        try:
            return cls.model_validate({name: value for name, value in given.items() if name in cls.model_fields})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
            raise InvalidSetting(f"setting {name}: {first['msg']}") from None


class ProxySettings(Settings):
    proxy_host: str = Field("127.0.0.1", description="Address the proxy listens on")
    proxy_port: int = Field(8787, ge=0, le=65535, description="Port the proxy listens on")
    openai_url: str = Field(
        "https://api.openai.com", description="Where /oai goes: scheme and host, with or without a path before /v1"
    )
    anthropic_url: str = Field("https://api.anthropic.com", description="Where /anthropic goes")
    unauthenticated: Literal["refuse", "pass"] = Field(
        "refuse",
        description="Requests without a valid Helicone-Auth: refuse with 401, or pass them on unlogged and count them",
    )
    durability: Literal["relaxed", "standard", "strict"] = Field(
        "standard",
        description="events are durable relaxed: within 50 ms; standard: 10 ms; strict: before the answer's last byte",
    )
    capture_bytes: int = Field(
        4 * 2**20,
        ge=0,
        description="How much of each body is kept, and of a larger answer its end too; the rest passes and is counted",
    )
    capture_total_bytes: int = Field(
        256 * 2**20,
        ge=0,
        description="How much all bodies in flight may hold; above it bodies are not kept, traffic goes on",
    )
    max_head_bytes: int = Field(32 * 2**10, ge=1024, description="Largest request head; above it 431")
    max_body_bytes: int = Field(64 * 2**20, ge=0, description="Largest request body; above it 413")
    connect_timeout_s: float = Field(5, gt=0, description="To connect to the provider")
    first_byte_timeout_s: float = Field(600, gt=0, description="From the request's end to the first byte of the answer")
    idle_timeout_s: float = Field(120, gt=0, description="Between two pieces of an answer, or of a request's body")
    total_timeout_s: float = Field(3600, gt=0, description="For the whole exchange")
    max_connections: int = Field(1000, gt=0, description="To one provider at once; above it requests wait")
    stream_usage: Literal["inject", "off"] = Field(
        "inject",
        description="OpenAI chat streams whose callers do not ask for usage: ask, and take the answer out, or do not",
    )
    on_disconnect: Literal["drain", "cancel"] = Field(
        "drain", description="Answers whose caller has gone: read on, to learn what is billed, or cancel"
    )
    drain_timeout_s: float = Field(120, gt=0, description="How long an answer is read on without its caller")
    drain_bytes: int = Field(4 * 2**20, ge=0, description="How much of it is read on")
    drain_count: int = Field(256, ge=0, description="How many answers are read on at once; above it they are cancelled")
    kafka_spill: str = Field("data/spill.sqlite", description="Journal file that keeps events while Kafka is away")


class WorkerSettings(Settings):
    flush_rows: int = Field(20_000, gt=0, description="Rows that make a batch")
    flush_bytes: int = Field(16 * 2**20, gt=0, description="Event bytes that make a batch")
    flush_s: float = Field(1, gt=0, description="Age that makes a batch")
    bury_share: float = Field(
        0.01,
        gt=0,
        le=1,
        description="More than this share of unusable events stops the worker, with nothing lost; 1 never does. "
        "`farebox dead-letters` shows those that it put aside",
    )
    worker_group: str = Field("farebox-workers", description="Kafka consumer group; the journal's consumer name")
    worker_port: int = Field(8790, ge=0, le=65535, description="Port of the worker's health and metrics")
    worker_host: str = Field("127.0.0.1", description="Address of the worker's health and metrics")


class QuerySettings(Settings):
    query_host: str = Field("127.0.0.1", description="Address the query service listens on")
    query_port: int = Field(8788, ge=0, le=65535, description="Port the query service listens on")
    query_timeout_s: float = Field(30, gt=0, description="Longest a question may take in the warehouse")


class MigrateSettings(Settings):
    kafka_partitions: int = Field(12, gt=0, description="Partitions of a topic that migrate creates")
    kafka_replication: int = Field(1, gt=0, description="Replicas of a topic that migrate creates; 3 in production")
    kafka_retention_hours: int = Field(168, gt=0, description="How long the topics keep events")


class ReportSettings(Settings):
    url: str = Field("http://127.0.0.1:8788", description="Query service that `farebox report` asks")
    key: str = Field("", description="Key that `farebox report` shows; the one in data/api-key when empty")


ALL_SETTINGS: tuple[type[Settings], ...] = (
    ProxySettings,
    WorkerSettings,
    QuerySettings,
    MigrateSettings,
    ReportSettings,
)
