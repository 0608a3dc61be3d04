"""How often the interpreter looks for garbage that refers to itself."""

import gc
from typing import Final

# A batch is some hundred thousand objects, and no cycle among them. By its own measure the interpreter would look
# through them again and again while they grow, which took up to a fifth of the worker's time.
_YOUNG_OBJECTS: Final = 20_000
_ROUNDS: Final = 20
_OLD_ROUNDS: Final = 100


def look_for_cycles_rarely() -> None:
    """For the whole process; to be called once all is loaded, which is then left out for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _ROUNDS, _OLD_ROUNDS)
