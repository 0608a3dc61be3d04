"""Settings that several processes have, as fields of the classes in `processes.py`."""

from typing import Any, Final

from pydantic import Field

from schemas.key import MissingTags
from schemas.omission import Omission

_HOSTS = r"^ *((\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)* *(, *(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)* *)*)?$"
# Of every process that accepts events: the query service accepts logged calls too.
OMIT_BODIES: Final[Any] = Field(
    Omission.NONE,
    description="Bodies that are never stored, beside those that clients omit: none, request, response or both. "
    "Their costs are computed all the same",
)
MISSING_TAGS: Final[Any] = Field(
    MissingTags.REFUSE,
    description="Requests and logs without a tag that their key requires: refuse with 400, or record as unattributed, "
    "with that word as the tag's value",
)
PROXY_ID: Final[Any] = Field(
    "",
    max_length=200,
    description="What this process is called in the rows of the calls that it records, `proxy_id`; its host's name and "
    "port when empty",
)
CAPTURE_BYTES: Final[Any] = Field(
    4 * 2**20,
    ge=0,
    description="Bytes captured of each body, and of a larger response its end too; the rest passes and is counted",
)
# The commands request it of this machine's.
QUERY_PORT: Final[Any] = Field(8788, ge=0, le=65535, description="Port the query service listens on")
# The query service looks up how far the workers are.
WORKER_GROUP: Final[Any] = Field(
    "farebox-workers",
    description="Kafka consumer group; the journal's consumer name. A new name reads the whole log again, which "
    "changes nothing; a journal keeps events that a name has not read until the name is unused for 3 days",
)
KAFKA_SPILL: Final[Any] = Field(
    "data/spill.sqlite", description="Journal file that holds events while Kafka is unavailable"
)
# Of every process that calls servers outside.
EGRESS_PROXY: Final[Any] = Field(
    "",
    description="Proxy through which TLS connections to providers and receivers of notices and telemetry leave, as "
    "http://[USER:PASSWORD@]HOST:PORT. When empty, that of the variable HTTPS_PROXY; none: no proxy",
)
NO_PROXY: Final[Any] = Field(
    "",
    description="Hosts that are reached without the egress proxy, as HOST[,.SUFFIX...]; when empty, those of the "
    "variable NO_PROXY",
)
CA_FILE: Final[Any] = Field(
    "", description="File of certificates, in PEM, of authorities that are trusted beside the system's"
)
ENCRYPTION_KEY: Final[Any] = Field(
    "",
    description="Encrypts what is stored to be used again, such as providers' keys and the secrets of channels, "
    "together with a secret in the state database: without it a copy of that database is all that is needed to "
    "decrypt. The same for all processes; changed, what was stored has to be stored again",
)
HOSTS: Final[Any] = Field(
    "",
    pattern=_HOSTS,
    description="DNS names under which pages that need no key (/metrics, /docs, /openapi.json) are served too, as "
    "NAME[,NAME...]; *.example.com matches every subdomain. Addresses, localhost and names without a dot always "
    "are",
)
