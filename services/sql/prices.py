"""The statement that finds a price which was used: the only one that reads rows of no organization."""

from schemas.statement import Statement


def compile_price(organization_id: str, price_id: str) -> Statement:
    """`price` as JSON. It belongs to no organization: `organization_id` has its id from a row of its own."""
    sql = "SELECT price FROM price WHERE price_id = {p0:String} LIMIT 1"
    return Statement(sql=sql, parameters={"p0": price_id}, organization_id=organization_id, is_cheap=True)
