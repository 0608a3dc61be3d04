"""By what alerts are grouped, and how the requests of one group are found again."""

import pytest

from schemas.alert import GroupBy
from schemas.errors import InvalidRequest
from schemas.tables import REQUEST_RESPONSE, Operator
from services.alerting.figures import dimension_of, is_of
from services.sql.nodes import Compare


@pytest.mark.parametrize("name", ["user_id", "cost_usd", "time_to_first_token"])
def test_requests_without_a_value_are_found_by_that(name: str) -> None:
    column = REQUEST_RESPONSE.columns[name]
    assert is_of(dimension_of(GroupBy(name=name)), None) == Compare(column=column, operator=Operator.EQUALS, value=None)


@pytest.mark.parametrize("name", ["request_created_at", "response_created_at"])
def test_timestamps_are_no_groups(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"by: {name} is a timestamp"):
        dimension_of(GroupBy(name=name))
