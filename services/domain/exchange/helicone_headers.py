"""Every header that Helicone's clients may send, and what is done with it. README shows this table; a test compares.

Obeyed headers do what they do with Helicone, or what README says. Refused ones change where a call goes, what protects
it or whether it is allowed, and are not implemented yet: a request that sets one gets 400, and nothing is forwarded.
Harmless ones are ignored: their feature is missing, and nothing else is different.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from typing import Final

import msgspec

from schemas.errors import InvalidSetting, Rejected
from services.domain.providers.catalog import PROVIDERS

PROPERTY: Final = "Helicone-Property-<Name>"
_PREFIX: Final = "helicone-"
_CLOSE: Final = 0.65  # similarity of a misspelled name, by difflib
_CLOSER: Final = 0.75  # closer than "prompt" is to "property"
_NO: Final = frozenset([b"", b"false", b"0", b"no", b"off"])
_EMPTY: Final = frozenset([b"", b"[]", b"null"])


class UnsupportedHeader(Rejected):
    """The request sets a header that has consequences and is not supported."""

    code = "unsupported_header"


class Treatment(Enum):
    OBEYED = "obeyed"
    REFUSED = "refused"
    HARMLESS = "harmless"


class ActiveWhen(Enum):
    """Which values of a refused header have an effect."""

    TEXT = "all but an empty one"
    FLAG = "all but an empty one and a no"
    LIST = "all but an empty list"


class KnownHeader(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    treatment: Treatment
    active_when: ActiveWhen = ActiveWhen.TEXT
    missing: str = ""  # of a refused header: what is not done
    part_of: str = ""  # the header, in lower case, that switches off what this one is about


def _all(treatment: Treatment, *names: str) -> Iterator[KnownHeader]:
    return (KnownHeader(name=name, treatment=treatment) for name in names)


def _refused(
    *names: str, missing: str, active_when: ActiveWhen = ActiveWhen.TEXT, part_of: str = ""
) -> Iterator[KnownHeader]:
    for name in names:
        yield KnownHeader(
            name=name, treatment=Treatment.REFUSED, active_when=active_when, missing=missing, part_of=part_of
        )


_SECURITY: Final = "prompts are not checked for threats"
# The providers' own keys, forwarded untouched.
_CREDENTIALS: Final = dict.fromkeys(name for provider in PROVIDERS for name in provider.credential_headers)
# Keys of providers that requests are signed with, and which never travel on.
SIGNING_HEADERS: Final = tuple(
    name for provider in PROVIDERS if provider.signing is not None for name in provider.signing.headers
)
_KNOWN: Final = (
    # Source: https://docs.helicone.ai/helicone-headers/header-directory
    *_all(Treatment.OBEYED, "Helicone-Auth", *_CREDENTIALS, *SIGNING_HEADERS),
    *_all(Treatment.OBEYED, PROPERTY, "Helicone-User-Id", "Helicone-Request-Id", "Helicone-Model-Override"),
    *_all(Treatment.OBEYED, "Helicone-Session-Id", "Helicone-Session-Name", "Helicone-Session-Path"),
    *_all(Treatment.OBEYED, "Helicone-Prompt-Id", "Helicone-Omit-Request", "Helicone-Omit-Response"),
    *_all(Treatment.OBEYED, "Helicone-Stream-Usage", "Helicone-On-Disconnect"),
    *_all(Treatment.OBEYED, "Helicone-Target-URL", "Helicone-OpenAI-Api-Base", "Helicone-Upstream"),
    *_all(Treatment.OBEYED, "__helicone-mock-response"),
    *_all(Treatment.OBEYED, "Helicone-Cache-Enabled", "Helicone-Cache-Save", "Helicone-Cache-Read"),
    *_all(Treatment.OBEYED, "Helicone-Cache-Bucket-Max-Size", "Helicone-Cache-Seed", "Helicone-Cache-Ignore-Keys"),
    *_all(Treatment.OBEYED, "Helicone-Cache-Coalesce", "Cache-Control", "Helicone-RateLimit-Policy"),
    *_all(Treatment.OBEYED, "Helicone-Budget-Status"),
    *_all(Treatment.OBEYED, "Helicone-Fallbacks", "Helicone-Retry-Enabled", "Helicone-Retry-Num"),
    *_all(Treatment.OBEYED, "Helicone-Retry-Factor", "Helicone-Retry-Min-Timeout", "Helicone-Retry-Max-Timeout"),
    *_refused("Helicone-Moderations-Enabled", missing="messages are not moderated", active_when=ActiveWhen.FLAG),
    *_refused(
        *("Helicone-LLM-Security-Enabled", "Helicone-Prompt-Security-Enabled"),
        missing=_SECURITY,
        active_when=ActiveWhen.FLAG,
    ),
    *_refused(
        "Helicone-LLM-Security-Advanced",
        missing=_SECURITY,
        active_when=ActiveWhen.FLAG,
        part_of="helicone-llm-security-enabled",
    ),
    *_all(Treatment.OBEYED, "Helicone-Cache-Control", "Helicone-Experiment-Id", "X-Stripe-Customer-Id"),
    *_all(Treatment.HARMLESS, "Helicone-Prompt-Mode", "Helicone-Prompt-Version", "Helicone-Prompt-Name"),
    *_all(Treatment.HARMLESS, "Helicone-Prompt-Format", "Helicone-Node-Id"),
    *_all(Treatment.HARMLESS, "Helicone-Experiment-Column-Id", "Helicone-Experiment-Row-Index"),
    *_all(Treatment.HARMLESS, "Helicone-Gateway-Body-Mapping", "Helicone-Gateway-Router-Id"),
    *_all(Treatment.HARMLESS, "Helicone-Gateway-Deployment-Target", "Helicone-Token-Limit-Exception-Handler"),
    *_all(Treatment.HARMLESS, "Helicone-Stream-Force-Format", "Helicone-Increase-Timeout"),
    *_all(Treatment.HARMLESS, "Helicone-Webhook-Enabled", "Helicone-Posthog-Key", "Helicone-Posthog-Host"),
    *_all(Treatment.HARMLESS, "Helicone-Lytix-Key", "Helicone-Lytix-Host"),
    *_all(Treatment.HARMLESS, "Helicone-JWT", "Helicone-Org-Id", "Helicone-Manual-Access-Key"),
)

KNOWN_HEADERS: Final[Mapping[bytes, KnownHeader]] = {  # by name in lower case, and properties by their prefix
    header.name.lower().removesuffix("<name>").encode(): header for header in _KNOWN
}


def refusal_of(headers: Sequence[tuple[bytes, bytes]], ignored: Collection[bytes]) -> UnsupportedHeader | None:
    """Why a request with these headers (names in lower case) may not pass; None when it may.

    What a header is part of switches it off: retries that are off need no numbers. `ignored` are names of refused
    headers that the operator wants ignored.
    """
    refused = [
        (known, name, value)
        for name, value in headers
        if (known := KNOWN_HEADERS.get(name)) is not None and known.treatment is Treatment.REFUSED
    ]
    active = {name for known, name, value in refused if _is_active(known, value.strip().lower())}
    off = {name.decode() for _, name, _ in refused if name not in active} | {name.decode() for name in ignored}
    for known, name, _ in refused:
        if name in active and name.decode() not in off and known.part_of not in off:
            return UnsupportedHeader(
                f"{known.name} is not supported yet: {known.missing}. Leave it out, or list it in "
                "FAREBOX_IGNORE_HEADERS to have it ignored"
            )
    return None


def _is_active(known: KnownHeader, value: bytes) -> bool:
    match known.active_when:
        case ActiveWhen.TEXT:
            return value != b""
        case ActiveWhen.FLAG:
            return value not in _NO
        case ActiveWhen.LIST:
            return value not in _EMPTY


def unknown_names(headers: Sequence[tuple[bytes, bytes]]) -> set[str]:
    """The names among these headers that are not known."""
    return {name.decode("latin-1") for name, _ in headers if name not in KNOWN_HEADERS}


def ignored_headers(setting: str) -> frozenset[bytes]:
    """The names in the setting FAREBOX_IGNORE_HEADERS, in lower case.

    Raises: InvalidSetting for the name of a header that is not refused.
    """
    names = [name.strip() for name in setting.split(",") if name.strip()]
    for name in names:
        known = KNOWN_HEADERS.get(name.lower().encode())
        if known is None or known.treatment is not Treatment.REFUSED:
            refused = ", ".join(one.name for one in _KNOWN if one.treatment is Treatment.REFUSED)
            raise InvalidSetting(
                f"setting FAREBOX_IGNORE_HEADERS: {name!r} is not one of the refused headers {refused}"
            )
    return frozenset(name.lower().encode() for name in names)


def nearest_known(name: str) -> str | None:
    """The known header that the unknown `name` probably misspells; None when none is similar."""
    bare = name.lower().removeprefix(_PREFIX)
    word, _, rest = bare.partition("-")
    if word.startswith("prop") or get_close_matches(word, ["property"], n=1, cutoff=_CLOSER):
        return PROPERTY.replace("<Name>", rest.title()) if rest else PROPERTY
    own = {key.decode().removeprefix(_PREFIX): known.name for key, known in KNOWN_HEADERS.items()}
    found = get_close_matches(bare, own, n=1, cutoff=_CLOSE)
    return own[found[0]] if found else None
