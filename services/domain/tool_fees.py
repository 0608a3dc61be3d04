"""Fees that OpenAI's responses charge by the call and count nowhere: the calls stand among the output's items.

Source: https://platform.openai.com/docs/pricing (built-in tools), .../docs/guides/tools-web-search
"""

from typing import Final

import msgspec

from schemas.usage import Usage

_SEARCH: Final = "web_search_call"
# Billed by call, by container or by another model's tokens: nothing in the usage says how much.
_UNCOUNTED: Final = frozenset({"file_search_call", "code_interpreter_call", "image_generation_call"})


class _Action(msgspec.Struct):
    type: str = "search"


class _Item(msgspec.Struct):
    type: str = ""
    action: _Action | None = None


_decoder = msgspec.json.Decoder(list[_Item])


def with_tool_fees(usage: Usage, output: msgspec.Raw) -> tuple[Usage, bool]:
    """`usage` with the web searches of `output`, and whether that is all that was charged beside the tokens.

    Only searches are billed; opening a page that was found is not.
    """
    if b'_call"' not in bytes(output):
        return usage, True
    try:
        items = _decoder.decode(output)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return usage, False
    searches = sum(item.type == _SEARCH and (item.action or _Action()).type == "search" for item in items)
    if searches:
        usage = msgspec.structs.replace(usage, web_searches=usage.web_searches + searches)
    return usage, all(item.type not in _UNCOUNTED for item in items)
