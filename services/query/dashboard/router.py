"""The routes of the dashboard: its page and files, and signing in."""

from html import escape
from pathlib import Path
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

import services
from schemas.api.errors import ErrorResponse
from schemas.errors import Forbidden, InvalidRequest, Unauthenticated
from schemas.key import ApiKey, Permission
from services.query.alerts.endpoints import alert_states
from services.query.dashboard.files import Asset, DashboardFiles
from services.query.dashboard.sessions import COOKIE, PAGE_HEADER, SESSION_S
from services.query.dependencies import Service, ServiceDep
from services.query.http.responses import data_response, json_response

PATH: Final = "/dashboard"
DIST: Final = Path(services.__file__).parent / "dashboard" / "dist"
_MAX_BODY_BYTES: Final = 4096
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data: blob:",
        "media-src data:",  # what was said or drawn in a body that is shown
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Farebox</title>
<h1>The dashboard is not built yet</h1>
<p>Run <code>make dashboard</code> in the folder of Farebox, then load this page again.</p>
<p>It looked for its files in <code>{folder}</code>. The <a href="/docs">API</a> works without them.</p>
</html>
"""


class _SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str


def dashboard_router(folder: Path = DIST) -> APIRouter:
    """`folder` holds the built files, and need not be there."""
    router = APIRouter(prefix=PATH, include_in_schema=False)
    files = DashboardFiles(folder)

    def show(request: Request, path: str) -> Response:
        return _file_response(files, request, path, folder)

    router.post("/session")(sign_in)
    router.get("/session")(show_session)
    router.delete("/session")(sign_out)
    router.add_api_route("", _to_slash, methods=["GET", "HEAD"])
    router.add_api_route("/{path:path}", show, methods=["GET", "HEAD"])
    return router


async def sign_in(request: Request, service: ServiceDep) -> Response:
    """Sets the cookie of a session. Raises: Unauthenticated, Forbidden, InvalidRequest, Busy, StoreUnavailable."""
    if PAGE_HEADER not in request.headers:
        raise Forbidden("signing in is for the dashboard's own page")
    signed = await service.sessions.sign_in(await _key_in(request))
    if signed is None:
        raise Unauthenticated("this API key is unknown or revoked")
    token, key = signed
    if key.permission is Permission.WRITE:
        raise Forbidden("this API key may only send requests: the dashboard takes one that may read")
    response = data_response(await _shown(key, service))
    is_secure = request.url.scheme == "https" or service.public_url.startswith("https:")
    response.set_cookie(COOKIE, token, max_age=SESSION_S, httponly=True, samesite="strict", secure=is_secure)
    return response


async def show_session(request: Request, service: ServiceDep) -> Response:
    """Whose session it is; null where nobody signed in. Raises: Busy, StoreUnavailable."""
    key = await service.sessions.key_of(request)
    return data_response(None if key is None else await _shown(key, service))


async def sign_out() -> Response:
    response = data_response(None)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


async def _shown(key: ApiKey, service: Service) -> dict[str, object]:
    """What the frame of every page shows, so that it needs no further call. Raises: StoreUnavailable."""
    alerts = await alert_states(key.organization_id, service)
    return {
        "name": key.name,
        "hint": key.hint,
        "permission": key.permission,
        "proxy_url": service.proxy_url,
        "alerts": alerts.model_dump(),
    }


async def _key_in(request: Request) -> str:
    """Raises: InvalidRequest."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise InvalidRequest(f"the body is larger than {_MAX_BODY_BYTES} bytes")
    try:
        return msgspec.json.decode(bytes(body), type=_SignIn).key.strip()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest('the body is `{"key": "..."}`') from error


async def _to_slash() -> Response:
    return RedirectResponse(f"{PATH}/")


def _file_response(files: DashboardFiles, request: Request, path: str, folder: Path) -> Response:
    asset = files.find(path)
    if asset is not None:
        return _asset_response(asset, request)
    if files.is_built():
        return json_response(ErrorResponse(error="no file has this path"), 404, _HEADERS)
    page = _NOT_BUILT.format(folder=escape(str(folder)))
    return Response(page, 503, _HEADERS | {"Cache-Control": "no-store"}, media_type="text/html")


def _asset_response(asset: Asset, request: Request) -> Response:
    encoding = asset.encoding_for(request.headers.get("accept-encoding", ""))
    etag = f'"{asset.etag}-{encoding}"' if encoding else f'"{asset.etag}"'
    headers = _HEADERS | {
        "Cache-Control": "public, max-age=31536000, immutable" if asset.is_immutable else "no-cache",
        "ETag": etag,
        "Vary": "Accept-Encoding",
    }
    if etag in (part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    headers |= {"Content-Encoding": encoding} if encoding else {}
    return Response(asset.encoded[encoding], headers=headers | {"Content-Type": asset.content_type})
