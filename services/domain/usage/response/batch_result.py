"""A line of a batch's results -> the response in it, as clients log them one by one.

Sources: https://platform.openai.com/docs/guides/batch#5-retrieve-the-results,
https://docs.anthropic.com/en/docs/build-with-claude/batch-processing#retrieving-batch-results
"""

import msgspec

from schemas.undecodable import UNDECODABLE
from services.domain.usage.response.envelope import NOT_THERE


class _Response(msgspec.Struct):
    body: msgspec.Raw = NOT_THERE


class _Result(msgspec.Struct):
    message: msgspec.Raw = NOT_THERE


class _Line(msgspec.Struct):
    custom_id: str
    response: _Response | None = None  # OpenAI's
    result: _Result | None = None  # Anthropic's


_lines = msgspec.json.Decoder(_Line)


def response_in_line(line: bytes) -> bytes:
    """The JSON of the response; b'' when `line` is no result of a batch, or has no response."""
    if b'"custom_id"' not in line:
        return b""
    try:
        read = _lines.decode(line)
    except UNDECODABLE:
        return b""
    return bytes((read.response and read.response.body) or (read.result and read.result.message) or b"")
