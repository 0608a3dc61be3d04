"""What charges are metered in, as FOCUS names meters and units."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from services.domain.focus.items import WHOLE


class Meter(NamedTuple):
    title: str
    unit: str


_TOKENS: Final = "Tokens"
_METERS: Final[Mapping[str, Meter]] = {
    "prompt_tokens": Meter("Input Tokens", _TOKENS),
    "prompt_cache_read_tokens": Meter("Cache Read Input Tokens", _TOKENS),
    "prompt_cache_read_audio_tokens": Meter("Cache Read Input Audio Tokens", _TOKENS),
    "prompt_cache_read_image_tokens": Meter("Cache Read Input Image Tokens", _TOKENS),
    "prompt_cache_write_5m_tokens": Meter("Cache Write Input Tokens", _TOKENS),
    "prompt_cache_write_1h_tokens": Meter("Cache Write Input Tokens for 1 Hour", _TOKENS),
    "prompt_cache_write_12h_tokens": Meter("Cache Write Input Tokens for 12 Hours", _TOKENS),
    "prompt_audio_tokens": Meter("Input Audio Tokens", _TOKENS),
    "prompt_image_tokens": Meter("Input Image Tokens", _TOKENS),
    "prompt_video_tokens": Meter("Input Video Tokens", _TOKENS),
    "prompt_audio_ms": Meter("Input Audio Duration", "Milliseconds"),
    "prompt_characters": Meter("Input Characters", "Characters"),
    "completion_tokens": Meter("Output Tokens", _TOKENS),
    "reasoning_tokens": Meter("Reasoning Output Tokens", _TOKENS),
    "completion_audio_tokens": Meter("Output Audio Tokens", _TOKENS),
    "completion_image_tokens": Meter("Output Image Tokens", _TOKENS),
    "completion_video_tokens": Meter("Output Video Tokens", _TOKENS),
    "citation_tokens": Meter("Citation Tokens", _TOKENS),
    "web_searches": Meter("Web Searches", "Searches"),
    "file_searches": Meter("File Searches", "Searches"),
    "document_pages": Meter("Document Pages", "Pages"),
    "annotated_pages": Meter("Annotated Pages", "Pages"),
    "request": Meter("Request Fees", "Requests"),
    WHOLE: Meter("Requests Billed as a Whole", "Requests"),
}


def meter_of(name: str) -> Meter:
    """Of a usage class, or of another meter of `ChargeItem`."""
    return _METERS[name]
