"""Whether and when a message is sent again."""

from typing import Final

from schemas.channel import AttemptOutcome, SendOutcome, SendResult

FIRST_DELAY_S: Final = 10.0
LAST_DELAY_S: Final = 1800.0
GIVE_UP_AFTER_S: Final = 12 * 3600.0  # later nobody wants the news
MAX_RETRY_AFTER_S: Final = 3600.0  # that a receiver may ask for


def after_attempt(result: SendResult, *, attempt: int, age_s: float, draw: float) -> tuple[AttemptOutcome, float]:
    """How attempt number `attempt`, from 1, ended, and in how many seconds the next one is due.

    Delays double, and each is shortened by up to a half by `draw`, of 0 to 1, unless the receiver says when. The last
    attempt is the one after which the next would come later than 12 hours after the notice was made.
    """
    if result.outcome is SendOutcome.ACCEPTED:
        return AttemptOutcome.DELIVERED, 0
    doubled_s = min(FIRST_DELAY_S * 2.0 ** min(attempt - 1, 30), LAST_DELAY_S) * (1 - draw / 2)
    delay_s = max(doubled_s, min(result.retry_after_s or 0, MAX_RETRY_AFTER_S))
    if result.outcome is SendOutcome.REFUSED or age_s + delay_s > GIVE_UP_AFTER_S:
        return AttemptOutcome.FAILED, 0
    return AttemptOutcome.RETRYING, delay_s
