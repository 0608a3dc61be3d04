"""The `model` of a body that names several (`gpt-4o/azure,claude-sonnet-4-5/anthropic`) -> where they are asked for.

As with Helicone's AI gateway the names are tried in their order, each at its provider, in OpenAI's words. Clients have
no provider's key there: each goes to an upstream that an operator added, with the key that is stored for it, or to one
that needs none. Source: https://docs.helicone.ai/gateway/provider-routing
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from schemas.attempts import StatusRange
from schemas.errors import InvalidRequest
from schemas.key import KeyOwner
from schemas.provider_key import HeaderKey
from schemas.undecodable import UNDECODABLE
from schemas.upstream import CredentialPolicy, NamedUpstream
from services.domain.exchange.headers import Head
from services.domain.exchange.target import Fallback, Target
from services.domain.providers.catalog import provider_named, provider_spelled
from services.domain.providers.record import Provider, Quirk
from services.domain.routing.choose import at_upstream

MAX_MODELS: Final = 10
_FAILURES: Final = (StatusRange(first=400, last=599),)  # another provider may know a model that this one does not
_MODEL: Final = re.compile(r"[!-~]{1,200}")  # it is shown in a header of the response
_FORM: Final = "each is MODEL/PROVIDER or MODEL/PROVIDER/UPSTREAM, such as gpt-4o-mini/openai, with commas in between"


class InvalidModels(InvalidRequest):
    code = "invalid_model"
    status = 400


class NamedModel(msgspec.Struct, frozen=True):
    """One name of the list."""

    model: str
    provider: Provider
    upstream: str = ""  # '': any of this provider


class _Body(msgspec.Struct):
    model: str


_decoder: Final = msgspec.json.Decoder(_Body)


def parse_models(text: str, upstreams: Collection[tuple[Provider, str]] = ()) -> Sequence[NamedModel]:
    """In their order, without those of the providers that are excluded (`!openai`). Raises: InvalidModels.

    `upstreams`: the names of those that there are, which may be those of providers too.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    excluded = [_provider(part[1:].strip()) for part in parts if part.startswith("!")]
    named = [_named(part, upstreams) for part in parts if not part.startswith("!")]
    found = [one for one in named if one.provider not in excluded]
    if not 0 < len(found) <= MAX_MODELS:
        raise InvalidModels(f"model has to name 1 to {MAX_MODELS} models: {_FORM}")
    return found


def _named(text: str, upstreams: Collection[tuple[Provider, str]]) -> NamedModel:
    """Models may have slashes in their names, so the provider is looked for from the end."""
    parts = text.split("/") if _MODEL.fullmatch(text) else []
    last = provider_spelled(parts[-1]) if len(parts) > 1 else None
    before = provider_spelled(parts[-2]) if len(parts) > 2 else None
    if before is not None and (last is None or (before, parts[-1].lower()) in upstreams):
        return NamedModel("/".join(parts[:-2]), before, parts[-1].lower())
    if last is not None:
        return NamedModel("/".join(parts[:-1]), last)
    raise InvalidModels(f"model: {text[:200]!r} names no provider that is known: {_FORM}")


def _provider(name: str) -> Provider:
    found = provider_spelled(name)
    if found is None:
        raise InvalidModels(f"model: {name[:64]!r} is no provider that is known")
    return found


def target_of_models(target: Target, head: Head, owner: KeyOwner, body: bytes) -> Target:
    """The first target that `body` names, with all of them, for a request of `owner` to the route `target`.

    `head` has no provider's key. Raises: Rejected; all are checked before anything leaves.
    """
    try:
        named = [(provider_named(one.provider), one.name) for one in owner.upstreams]
        names = parse_models(_decoder.decode(body).model, named)
    except UNDECODABLE:
        raise InvalidModels(f"the body has to be a JSON object with a model: {_FORM}") from None
    found = [_fallback(target, head, owner, one) for one in names]
    return replace(found[0].target, fallbacks=tuple(found))


def _fallback(target: Target, head: Head, owner: KeyOwner, named: NamedModel) -> Fallback:
    its = _target(target, named, owner)
    override: dict[str, Any] = {"model": named.model}
    if Quirk.STREAM_OPTIONS_REFUSED in named.provider.quirks:
        override["stream_options"] = msgspec.UNSET  # which the proxy may have added, for the others
    return Fallback(target=its, head=head, on_codes=_FAILURES, body_override=override, model=named.model)


def _target(target: Target, named: NamedModel, owner: KeyOwner) -> Target:
    provider = named.provider
    if not provider.chat_path:
        raise InvalidModels(f"model: no chat completions in OpenAI's words are known of {provider.title}")
    upstream = _upstream(named, owner)
    path = provider.chat_path.encode()
    found = at_upstream(replace(target, route_path=path, by_model=False), upstream, {}, owner.provider_keys)
    if isinstance(found.key, HeaderKey):
        found = _with_bearer(found, found.key)
    return found


def _upstream(named: NamedModel, owner: KeyOwner) -> NamedUpstream:
    """The one that is named; else that of the key; else the first."""
    fitting = [
        one
        for one in owner.upstreams
        if provider_named(one.provider) == named.provider
        and one.credentials is not CredentialPolicy.FORWARD
        and named.upstream in ("", one.name)
    ]
    if not fitting:
        which = f"with the name {named.upstream[:64]!r}" if named.upstream else "added"
        raise InvalidModels(
            f"model: no upstream of {named.provider.title} is {which} whose key is stored, or that needs none "
            "(`farebox upstreams add`)"
        )
    return next((one for one in fitting if owner.key_id in one.key_ids), fitting[0])


def _with_bearer(target: Target, key: HeaderKey) -> Target:
    """As OpenAI's SDK sends it, also to those whose own SDK has another header for it."""
    if key.name.lower() == b"authorization":
        return target
    value = key.value if b" " in key.value else b"Bearer " + key.value
    return replace(target, key=HeaderKey(name=b"Authorization", value=value, credential=key.credential))
