"""A request and the budgets of its organization -> where it counts, and what it may not exceed there."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from schemas.budget import Budget, Claim, Counter, Segment, Subject
from schemas.event import RequestTags
from services.domain.budgets.amounts import limit_nano
from services.domain.budgets.slots import place_of


def subject_of(organization_id: str, key_id: str, tags: RequestTags, body_user: str) -> Subject:
    """As the row of the request will have it: the same user, and of two spellings of a property the first."""
    properties: dict[str, str] = {}
    for name, value in tags.properties.items():
        properties.setdefault(name.lower(), value)
    return Subject(
        organization_id=organization_id,
        key_id=key_id,
        user_id=tags.user_id or body_user or tags.default_user_id or "",
        session_id=tags.session_id or "",
        properties=properties,
    )


def claims_of(budgets: Iterable[Budget], subject: Subject, at: datetime) -> Sequence[Claim]:
    """Of all `budgets` that a request of `subject` at `at` counts in."""
    return [claim_of(budget, value, at) for budget in budgets if (value := value_in(budget, subject)) is not None]


def claim_of(budget: Budget, value: str, at: datetime) -> Claim:
    """On the counter of one value of the segment."""
    place = place_of(budget, at)
    counter = Counter(
        organization_id=budget.organization_id,
        budget_id=budget.id,
        value=value,
        slot=place.slot,
        oldest_slot=place.oldest_slot,
        kept_s=place.kept_s,
    )
    return Claim(
        budget=budget,
        counter=counter,
        limit_nano=limit_nano(budget.limit_at(at)),
        resets_at=place.resets_at,
    )


def value_in(budget: Budget, subject: Subject) -> str | None:
    """Whose counter it is; None where the request does not count in `budget`."""
    if any(subject.properties.get(name) != value for name, value in budget.where.items()):
        return None
    value = _segment_value(budget, subject)
    if budget.segment is Segment.ORGANIZATION:
        return ""
    return value if value and budget.value in ("", value) else None


def _segment_value(budget: Budget, subject: Subject) -> str:
    match budget.segment:
        case Segment.KEY:
            return subject.key_id
        case Segment.USER:
            return subject.user_id
        case Segment.SESSION:
            return subject.session_id
        case Segment.PROPERTY:
            return subject.properties.get(budget.property, "")
        case Segment.ORGANIZATION:
            return ""
