"""How many examples of a law are drawn: few in each run of the tests, other ones every time; many in `make long`."""

import os

TIMES = 25 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1


def examples(count: int) -> int:
    """`count`, or so many more in a long run."""
    return count * TIMES
