"""Why the cost of a request is unknown, by what helps against it."""

from enum import StrEnum


class Cause(StrEnum):
    """Each request without a known cost has one: the first of these that holds."""

    ANSWER_CUT = "answer_cut"  # it was larger than what is kept of one
    CALLER_GONE = "caller_gone"  # the caller hung up before the provider said what was used
    ANSWER_BROKEN = "answer_broken"  # the answer broke off, or took too long, before that
    STREAM_UNTOLD = "stream_untold"  # a stream that came to its end and did not say
    USAGE_UNTOLD = "usage_untold"  # another answer that did not say
    USE_UNKNOWN = "use_unknown"  # something was used that no class of usage holds
    FIGURES_CONTRADICT = "figures_contradict"  # the provider's own, each other
    MODEL_UNNAMED = "model_unnamed"  # neither request nor answer names a model
    MODEL_UNPRICED = "model_unpriced"  # no price of the model was known
    PART_UNPRICED = "part_unpriced"  # a price was, and not of all that was used, or not of the service tier
