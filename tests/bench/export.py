"""Whether an export takes memory that grows with it: `python -m tests.bench.export --rows 1000000`.

Rows are made inside the engine, and exported in each format through a socket by a client that keeps nothing. What is
printed is the resident memory of this process, which is engine, service and client, as the rows go by. With
`--body-bytes` each request and each response has a body of that size, and they are exported too.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import tempfile
import time
from pathlib import Path

from schemas.statement import Bound, Statement
from services.query.exports.columns import BODIES, export_columns
from services.stores.clickhouse.warehouse import ClickHouseWarehouse
from tests.bench.query_rows import ORGANIZATION, fill
from tests.servers.querying import Client, query_service
from tests.servers.warehouses import migrated

MIB = 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_BODIES = """
INSERT INTO request_response_body
    (organization_id, request_created_at, request_id, version, request_body, response_body)
SELECT organization_id, request_created_at, request_id, version,
    randomPrintableASCII({size_bytes:UInt64}, 1), randomPrintableASCII({size_bytes:UInt64}, 2)
FROM request_response_rmt WHERE organization_id = {organization_id:String}
SETTINGS max_block_size = 1000
"""


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / MIB


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the organization that is exported")
    parser.add_argument("--formats", nargs="*", default=["csv", "jsonl", "parquet", "focus"])
    parser.add_argument("--body-bytes", type=int, default=0, help="of each body; focus has none")
    options = parser.parse_args()
    rows = options.rows
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        warehouse = stack.enter_context(migrated(f"chdb:{folder}/warehouse"))
        asyncio.run(fill(warehouse, 4 * rows))
        if options.body_bytes:
            asyncio.run(fill_bodies(warehouse, options.body_bytes))
        service = stack.enter_context(query_service(warehouse, folder))
        client = Client(service, ORGANIZATION, service.key(ORGANIZATION))
        for format_ in options.formats:
            measure(client, format_, with_bodies=options.body_bytes > 0 and format_ != "focus")


async def fill_bodies(warehouse: ClickHouseWarehouse, size_bytes: int) -> None:
    """The rows are of a year: what is older than bodies are kept must stay."""
    await warehouse.execute(Statement(sql="SYSTEM STOP TTL MERGES request_response_body", parameters={}))
    parameters: dict[str, Bound] = {"organization_id": ORGANIZATION, "size_bytes": size_bytes}
    await warehouse.execute(Statement(sql=_BODIES, parameters=parameters))


def measure(client: Client, format_: str, *, with_bodies: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.service.port, timeout=120)
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json"}
    columns = [*(column.name for column in export_columns(None)), *BODIES] if with_bodies else None
    connection.request("POST", "/v1/export", json.dumps({"format": format_, "columns": columns}), headers)
    response = connection.getresponse()
    began_s, size_bytes, shown = time.monotonic(), 0, []
    while part := response.read(MIB):
        size_bytes += len(part)
        shown.append(resident_mib())
    took_s, rows = time.monotonic() - began_s, int(response.headers["Farebox-Total-Rows"])
    quarters = [max(shown[place * len(shown) // 4 : (place + 1) * len(shown) // 4] or [0]) for place in range(4)]
    print(
        f"{format_}: {rows:,} requests, {size_bytes / MIB:,.0f} MiB in {took_s:.0f} s ({rows / took_s:,.0f} a second);"
        f" resident MiB at most, by quarter: {', '.join(f'{mib:.0f}' for mib in quarters)}"
    )
    connection.close()


if __name__ == "__main__":
    main()
