"""The target of a request whose route does not decide it alone: by its headers, and by its key's upstreams."""

from functools import partial

from msgspec.structs import replace

from schemas.errors import NotFound, Unauthenticated
from schemas.key import NO_PROVIDER_KEYS, KeyOwner
from services.domain.exchange.headers import MOCK_RESPONSE
from services.domain.exchange.routes import CHAT
from services.domain.routing.choose import chosen_target, values_of, with_mock_response, without_credentials
from services.domain.routing.custom import AllowedHosts
from services.domain.routing.fallbacks import InvalidFallbacks, asks_for_fallbacks, target_of_fallbacks
from services.domain.routing.models import InvalidModels, target_of_models
from services.proxy.errors import MethodNotAllowed
from services.proxy.exchange.recorder import Request


class TargetChoice:
    """One for the process."""

    def __init__(self, allowed: AllowedHosts) -> None:
        self._allowed = allowed

    def chosen(self, request: Request, owner: KeyOwner | None) -> Request:
        """`request` to its target, of `owner`, None where it passes without a key. Raises: Rejected.

        For most requests the route is all, and one look says so.
        """
        upstreams = () if owner is None else owner.upstreams
        if not (request.head.unsupported or upstreams or not request.target.origin.host):
            return request
        if request.target.by_model:
            return self._by_model(request, owner)
        if asks_for_fallbacks(request.head.fallbacks):
            return self._first_of_fallbacks(request, owner)
        target = chosen_target(
            request.target,
            request.head.routing_headers,
            upstreams,
            key_id="" if owner is None else owner.key_id,
            allowed=self._allowed,
            provider_keys=NO_PROVIDER_KEYS if owner is None else owner.provider_keys,
        )
        head = without_credentials(request.head) if target.strips_credentials else request.head
        return replace(request, target=target, head=head)

    def _first_of_fallbacks(self, request: Request, owner: KeyOwner | None) -> Request:
        if owner is None:
            raise InvalidFallbacks("Helicone-Fallbacks needs a key: set Helicone-Auth")
        target = target_of_fallbacks(request.target, request.head, self._allowed)
        return replace(request, target=target, head=target.fallbacks[0].head)

    def _by_model(self, request: Request, owner: KeyOwner | None) -> Request:
        """To the servers that the body will name; no key of a provider travels there but those that are stored."""
        target, given = request.target, values_of(request.head.routing_headers)
        path = target.route_path.partition(b"?")[0]
        if not path.endswith(CHAT):
            raise NotFound("the AI gateway takes POST /ai-gateway/v1/chat/completions; GET /v1/models lists models")
        if request.method != b"POST":
            raise MethodNotAllowed(path.decode("latin-1"), "POST")
        if owner is None:
            raise Unauthenticated("the AI gateway needs a key: set Helicone-Auth, or Authorization")
        if asks_for_fallbacks(request.head.fallbacks) or given.keys() - {MOCK_RESPONSE}:
            raise InvalidModels("on the AI gateway the body's model says where a call goes, and no header does")
        if b"content-encoding" in request.head.framing_headers:
            raise InvalidModels("on the AI gateway a body must not be compressed: its model is read")
        head = without_credentials(request.head)
        target = replace(target, strips_credentials=True, with_models=partial(target_of_models, target, head, owner))
        return replace(request, target=with_mock_response(target, given), head=head)
