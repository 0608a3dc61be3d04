"""A request's body and path -> RequestInfo: model, user, tier, whether the response is to be a stream."""

import re
from typing import Final
from urllib.parse import unquote

import msgspec

from schemas.event import RequestEvent
from schemas.undecodable import UNDECODABLE
from schemas.usage import RequestInfo
from services.domain.exchange.body import Body
from services.domain.usage.service_tier import service_tier_of

RESOURCE: Final = "models/"  # which Google's APIs may put before the name of a model
MAX_NAME_CHARACTERS: Final = 512  # no model or user has a longer name

_PATH_MODEL: Final = re.compile(r"/(?:engines|models?|deployments)/([^/:?]+)")
# Bedrock's: the id may hold colons, and slashes as %2F. It names the billed region, which no response does.
_BEDROCK_MODEL: Final = re.compile(r"/model/([^/?]+)/(?:invoke|converse)")
_OPAQUE_MODEL: Final = re.compile(r":(?:application-inference-profile|provisioned-model|imported-model|prompt)/")
_PATH_STREAM: Final = re.compile(
    r":streamGenerateContent|:streamRawPredict|/converse-stream|/invoke-with-response-stream"
)
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_MODEL_PART: Final = re.compile(rb'[;\s]name=(?:"model"|model)[;\s]', re.IGNORECASE)
_MAX_PARTS: Final = 1000  # of a form: those after them are ignored
# For JSON that the capture truncated: a key at the start, not one inside of an escaped string.
_TRUNCATED_MODEL: Final = re.compile(rb'(?<!\\)"model"\s*:\s*"([^"\\]{1,512})"')
_TRUNCATED_STREAM: Final = re.compile(rb'(?<!\\)"stream"\s*:\s*true')
_MAX_TRUNCATED_BYTES: Final = 4096
_MAX_PART_BYTES: Final = 2048

_TIER: Final = re.compile(rb'(?:\{\s*"type"\s*:\s*)?"([A-Za-z_-]{1,64})"')
_TRUNCATED_TIER: Final = re.compile(rb'(?<!\\)"service_?[tT]ier"\s*:\s*((?:\{\s*"type"\s*:\s*)?"[A-Za-z_-]{1,64}")')

_NOT_THERE: Final = msgspec.Raw(b"")


class _Fields(msgspec.Struct):
    model: msgspec.Raw = _NOT_THERE
    user: msgspec.Raw = _NOT_THERE
    stream: msgspec.Raw = _NOT_THERE
    service_tier: msgspec.Raw = _NOT_THERE
    tier_in_camel_case: msgspec.Raw = msgspec.field(default=_NOT_THERE, name="serviceTier")  # Google's and Bedrock's


_fields = msgspec.json.Decoder(_Fields)
_text = msgspec.json.Decoder(str)


def parse_request(request: RequestEvent, info: RequestInfo) -> RequestInfo:
    """What `request` asks for: the `info` of its body, completed from its path."""
    url = request.target_url
    by_path = "stream" in url and _PATH_STREAM.search(url) is not None
    if info.model and not by_path:
        return info
    billed = _bedrock_model(url)
    return RequestInfo(
        model=info.model or billed or _path_model(url),
        user=info.user,
        stream=info.stream or by_path,
        tier=info.tier,
        billed_model="" if _OPAQUE_MODEL.search(billed) else billed,
    )


def parse_request_body(body: Body) -> RequestInfo:
    """What the body of a request asks for. Any bytes can be parsed."""
    if "multipart/form-data" in body.content_type.lower():
        return RequestInfo(model=_form_model(body))
    if not body.content:
        return RequestInfo()
    try:
        fields = _fields.decode(body.content)
    except UNDECODABLE:
        return RequestInfo() if body.whole else _from_truncated_json(body.content[:_MAX_TRUNCATED_BYTES])
    return RequestInfo(
        model=_name(fields.model),
        user=_name(fields.user),
        stream=bytes(fields.stream) == b"true",
        tier=_tier(fields.service_tier or fields.tier_in_camel_case),
    )


def _form_model(body: Body) -> str:
    """Of each part only the start is searched, and once: the client chooses every byte of a form."""
    boundary = _BOUNDARY.search(body.content_type)
    if boundary is None:
        return ""
    delimiter = b"--" + (boundary[1] or boundary[2]).encode("latin-1", "replace")
    for part in body.content.split(delimiter, _MAX_PARTS):
        head, _, value = part[:_MAX_PART_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")
        if _MODEL_PART.search(head + b"\n"):
            return _decoded(value.partition(b"\n")[0][:MAX_NAME_CHARACTERS])
    return ""


def _from_truncated_json(start: bytes) -> RequestInfo:
    found = _TRUNCATED_MODEL.search(start)
    tier = _TRUNCATED_TIER.search(start)
    return RequestInfo(
        model=_decoded(found.group(1)) if found else "",
        stream=_TRUNCATED_STREAM.search(start) is not None,
        tier=_tier(msgspec.Raw(tier[1])) if tier else "",
    )


def _tier(raw: msgspec.Raw) -> str:
    """In lower case. Bedrock puts the name into an object."""
    if not raw:
        return ""
    found = _TIER.match(raw)
    return service_tier_of(found[1].decode(), {}) if found is not None else ""


def _name(raw: msgspec.Raw) -> str:
    """'' unless `raw` is a JSON string."""
    if not raw:
        return ""
    try:
        return _text.decode(raw)[:MAX_NAME_CHARACTERS]
    except UNDECODABLE:
        return ""


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "replace").strip()


def _path_model(url: str) -> str:
    found = _PATH_MODEL.search(url)
    return unquote(found.group(1))[:MAX_NAME_CHARACTERS] if found else ""


def _bedrock_model(url: str) -> str:
    found = _BEDROCK_MODEL.search(url)
    return unquote(found.group(1))[:MAX_NAME_CHARACTERS] if found else ""
