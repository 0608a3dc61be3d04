"""Usage of a reader of documents, which is billed by the page.

Whether the pages were annotated too, which costs more, only the request says (`usage/request_hints.py`).
Sources: https://docs.mistral.ai/api/endpoint/ocr, https://mistral.ai/pricing#api-pricing
"""

from typing import Final

from schemas.usage import Usage
from services.domain.usage.formats.fields import ParsedUsage, UsageObject, count_field
from services.domain.usage.formats.unrecognized import Names

DOCUMENT_NAMES: Final[Names] = {"": frozenset(("pages_processed", "doc_size_bytes"))}


def document_usage(block: UsageObject, _provider: str) -> ParsedUsage:
    """Raises: InvalidUsage."""
    return ParsedUsage(Usage(document_pages=count_field(block, "pages_processed")))
