"""Names of properties: those that were used, and those that are left out of the list."""

from fastapi import Response

from schemas.api.properties import Done, HideRequest, PropertyView
from services.query.dependencies import ServiceDep
from services.query.http.auth import Reader, Writer
from services.query.http.responses import data_response
from services.query.reports.sealed import Found, sealed_response
from services.sql.compile import compile_spellings
from services.sql.nodes import Everything


async def list_properties(organization_id: Reader, service: ServiceDep) -> Response:
    """All names that were used and are not hidden, as they are spelled."""

    async def found() -> Found:
        hidden = await service.hidden_properties.hidden_properties(organization_id)
        rows = await service.warehouse.query(compile_spellings(organization_id, None))
        names = [PropertyView(property=row["spelling"]) for row in rows if row["property_key"] not in hidden]
        return Found(data=names)

    return await sealed_response(found(), service, organization_id, Everything())


async def list_hidden_properties(organization_id: Reader, service: ServiceDep) -> Response:
    """The hidden names."""
    keys = sorted(await service.hidden_properties.hidden_properties(organization_id))
    spellings = await service.property_names.spellings_of(organization_id, keys)
    return data_response([PropertyView(property=spellings.get(key, key)) for key in keys])


async def hide_property(body: HideRequest, key: Writer, service: ServiceDep) -> Response:
    """Leaves a name out of the list, in any spelling. Its values are kept, and can be filtered as before."""
    await service.hidden_properties.hide_property(key.organization_id, body.key.lower())
    return data_response(Done())


async def restore_property(body: HideRequest, key: Writer, service: ServiceDep) -> Response:
    """Puts it back."""
    await service.hidden_properties.restore_property(key.organization_id, body.key.lower())
    return data_response(Done())
