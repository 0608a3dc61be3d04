"""Deliveries as clients are shown them."""

from collections.abc import Sequence

from schemas.api.channels import AttemptView, DeliveryView
from schemas.channel import DeliveryLog


def delivery_view(delivery: DeliveryLog) -> DeliveryView:
    same: Sequence[str] = [name for name in DeliveryLog.__struct_fields__ if name != "attempts"]
    attempts = [
        AttemptView(**{name: getattr(attempt, name) for name in AttemptView.model_fields})
        for attempt in delivery.attempts
    ]
    return DeliveryView(**{name: getattr(delivery, name) for name in same}, attempts=attempts)
