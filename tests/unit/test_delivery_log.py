"""How the log of deliveries is read where it is long."""

from sqlalchemy import create_engine, text

from services.stores.state.delivery_log import last_deliveries
from services.stores.state.tables import METADATA


def test_the_last_delivery_of_each_channel_is_found_in_an_index() -> None:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    query = last_deliveries("acme").compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        plan = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    engine.dispose()
    assert not [step for step in plan if step.startswith("SCAN")]
    assert any("INDEX delivery_latest (organization_id=? AND channel_id=?)" in step for step in plan), plan
