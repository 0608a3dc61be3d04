"""`signed_body_url`: where the bodies of a row are fetched without a key, as Helicone's export tool and its MCP do."""

from datetime import UTC
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, Request

from schemas.api.requests import instant
from services.domain.exchange.signed_url import SIGNED_URLS, VALID_FOR, SignedBody, signature_of
from services.ports.warehouse import Row
from services.query.dependencies import ServiceDep


class BodyUrls(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the URLs of one response."""

    base_url: str
    secret: bytes
    expires_at_s: int

    def of(self, organization_id: str, row: Row) -> str:
        signed = SignedBody(
            organization_id=organization_id,
            request_id=str(row["request_id"]),
            created_at=instant(row["request_created_at"]),
            expires_at_s=self.expires_at_s,
        )
        parameters = {
            "organization": organization_id,
            "created_at": signed.created_at,
            "expires": signed.expires_at_s,
            "signature": signature_of(signed, self.secret),
        }
        return f"{self.base_url}/v1/request/{signed.request_id}/body?{urlencode(parameters)}"


async def _body_urls(request: Request, service: ServiceDep) -> BodyUrls:
    """Raises: StoreUnavailable."""
    expires_at = service.clock.now().astimezone(UTC) + VALID_FOR
    return BodyUrls(
        base_url=service.public_url or str(request.base_url).rstrip("/"),
        secret=await service.secrets.of(SIGNED_URLS),
        expires_at_s=int(expires_at.timestamp()),
    )


BodyUrlsDep = Annotated[BodyUrls, Depends(_body_urls)]
