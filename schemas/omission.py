"""Which bodies are not to be kept."""

from enum import StrEnum


class Omission(StrEnum):
    """Of an operator, for all requests."""

    NONE = "none"
    REQUEST = "request"
    RESPONSE = "response"
    BOTH = "both"
