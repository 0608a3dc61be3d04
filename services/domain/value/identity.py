"""What identifies an entry of value to which its client gives no id."""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b

from schemas.timestamps import unix_us

PREFIX = "auto-"


def natural_id(user_id: str, properties: Mapping[str, str], starts_at: datetime, ends_at: datetime) -> str:
    """The same for the same user, properties and period, whatever the amount: to send it again corrects it."""
    key = [user_id, sorted(properties.items()), unix_us(starts_at), unix_us(ends_at)]
    return PREFIX + blake2b(json.dumps(key).encode(), digest_size=16).hexdigest()
