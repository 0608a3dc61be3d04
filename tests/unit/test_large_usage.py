"""A usage block of megabytes is nobody's: it is not decoded, and what it says stays unknown."""

import pytest

from services.domain.usage.parse import parse_response


@pytest.mark.parametrize(("extra_bytes", "is_read"), [(10_000, True), (100_000, False)])
def test_a_usage_block_is_read_up_to_64_kib(extra_bytes: int, is_read: bool) -> None:
    extra = b"x" * extra_bytes
    body = b'{"model":"gpt-4o","usage":{"prompt_tokens":3,"completion_tokens":4,"note":"%b"}}' % extra
    assert (parse_response(body, "OPENAI").usage is not None) == is_read
