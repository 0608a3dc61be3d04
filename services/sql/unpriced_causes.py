"""Why a cost is unknown, as SQL over one row without a known cost."""

from typing import Final

from schemas.tables import OTHER_MODEL_NAMES, Column, Kind
from schemas.unpriced import Cause
from services.sql.nodes import ByColumn

_UNREPORTED: Final = "usage_source IN ('none', 'estimated')"

_CONDITIONS: Final = (
    (Cause.RESPONSE_TRUNCATED, "cost_state = 'truncated'"),
    (Cause.CLIENT_DISCONNECTED, f"{_UNREPORTED} AND outcome = 'client_disconnected'"),
    (Cause.RESPONSE_INCOMPLETE, f"{_UNREPORTED} AND outcome IN ('upstream_error', 'timed_out')"),
    (Cause.STREAM_USAGE_MISSING, f"{_UNREPORTED} AND is_stream"),
    (Cause.USAGE_MISSING, _UNREPORTED),
    (Cause.USAGE_UNRECOGNIZED, "usage_incomplete"),
    (Cause.USAGE_INCONSISTENT, "usage_mismatch"),
    (Cause.MODEL_MISSING, f"cost_state = 'unknown_model' AND model = '' OR has({OTHER_MODEL_NAMES}, '')"),
    (Cause.MODEL_UNPRICED, "cost_state = 'unknown_model'"),
)
_CHOICES: Final = ", ".join(f"{condition}, '{cause}'" for cause, condition in _CONDITIONS)

BY_CAUSE: Final = ByColumn(
    Column(name="cause", sql=f"multiIf({_CHOICES}, '{Cause.PARTIALLY_UNPRICED}')", kind=Kind.TEXT, param_type="String")
)
