"""Why the cost of a request is unknown, by what helps against it."""

from enum import StrEnum


class Cause(StrEnum):
    """Each request without a known cost has one: the first of these that holds."""

    RESPONSE_TRUNCATED = "response_truncated"  # it was larger than the capture limit
    CLIENT_DISCONNECTED = "client_disconnected"  # the client disconnected before the provider reported usage
    RESPONSE_INCOMPLETE = "response_incomplete"  # the response broke off, or took too long, before that
    STREAM_USAGE_MISSING = "stream_usage_missing"  # a complete stream without usage
    USAGE_MISSING = "usage_missing"  # another response without usage
    USAGE_UNRECOGNIZED = "usage_unrecognized"  # something was used that no usage class counts
    USAGE_INCONSISTENT = "usage_inconsistent"  # with the provider's own totals
    MODEL_MISSING = "model_missing"  # neither request nor response names a model that was used
    MODEL_UNPRICED = "model_unpriced"  # no price of the model was known
    PARTIALLY_UNPRICED = "partially_unpriced"  # a price was, but not for all that was used, or not for the service tier
