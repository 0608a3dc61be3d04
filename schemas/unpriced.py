"""Why the cost of a request is unknown, by what helps against it."""

from enum import StrEnum


class Cause(StrEnum):
    """Each request without a known cost has one: the first of these that holds."""

    RESPONSE_TRUNCATED = "response_truncated"  # it was larger than what is kept of one
    CLIENT_DISCONNECTED = "client_disconnected"  # the client hung up before the provider said what was used
    RESPONSE_INCOMPLETE = "response_incomplete"  # the response broke off, or took too long, before that
    STREAM_USAGE_MISSING = "stream_usage_missing"  # a stream that came to its end and did not say
    USAGE_MISSING = "usage_missing"  # another response that did not say
    USAGE_UNRECOGNIZED = "usage_unrecognized"  # something was used that no class of usage holds
    USAGE_INCONSISTENT = "usage_inconsistent"  # the provider's own, each other
    MODEL_MISSING = "model_missing"  # neither request nor answer names a model
    MODEL_UNPRICED = "model_unpriced"  # no price of the model was known
    PARTIALLY_UNPRICED = "partially_unpriced"  # a price was, and not of all that was used, or not of the service tier
