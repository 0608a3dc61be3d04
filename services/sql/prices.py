"""The statement that finds prices which were used: the only one that reads rows of no organization."""

from collections.abc import Sequence

from schemas.statement import Statement


def compile_prices(organization_id: str, price_ids: Sequence[str]) -> Statement:
    """`price_id` and `price` as JSON of each of these.

    Prices belong to no organization: `organization_id` has the ids from rows of its own.
    """
    sql = "SELECT price_id, any(price) AS price FROM price WHERE price_id IN {p0:Array(String)} GROUP BY price_id"
    return Statement(sql=sql, parameters={"p0": tuple(price_ids)}, organization_id=organization_id, is_cheap=True)
