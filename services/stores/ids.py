"""New ids."""

import uuid


def draw_id() -> str:
    """A UUID of random bits, that of nothing else."""
    return str(uuid.uuid4())
