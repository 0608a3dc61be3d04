"""What stores call a counter: a hash, since values of users and properties are nobody's business there."""

import hashlib

from schemas.budget import Counter


def name_of(counter: Counter) -> str:
    return named(counter.organization_id, counter.budget_id, counter.value)


def named(organization_id: str, budget_id: str, value: str) -> str:
    """No other counter has it."""
    return hashlib.sha256("\0".join((organization_id, budget_id, value)).encode()).hexdigest()[:40]
