"""The statement that finds a price which was used: the only one that reads nobody's rows."""

from schemas.statement import Statement


def compile_price(price_id: str) -> Statement:
    """`price` as JSON. Prices belong to nobody: whoever asks has the id from a row of their own organization."""
    sql = "SELECT price FROM price WHERE price_id = {p0:String} LIMIT 1"
    return Statement(sql=sql, parameters={"p0": price_id}, is_cheap=True)
