"""Why a cost is unknown, as SQL over one row without a known cost."""

from typing import Final

from schemas.tables import Column, Kind
from schemas.unknown import Cause
from services.sql.nodes import ByColumn

_UNTOLD: Final = "usage_source IN ('none', 'estimated')"

_CONDITIONS: Final = (
    (Cause.ANSWER_CUT, "cost_state = 'truncated'"),
    (Cause.CALLER_GONE, f"{_UNTOLD} AND ending = 'client_gone'"),
    (Cause.ANSWER_BROKEN, f"{_UNTOLD} AND ending IN ('upstream_broken', 'timed_out')"),
    (Cause.STREAM_UNTOLD, f"{_UNTOLD} AND is_stream"),
    (Cause.USAGE_UNTOLD, _UNTOLD),
    (Cause.USE_UNKNOWN, "usage_incomplete"),
    (Cause.FIGURES_CONTRADICT, "usage_mismatch"),
    (Cause.MODEL_UNNAMED, "cost_state = 'unknown_model' AND model = ''"),
    (Cause.MODEL_UNPRICED, "cost_state = 'unknown_model'"),
)
_CHOICES: Final = ", ".join(f"{condition}, '{cause}'" for cause, condition in _CONDITIONS)

BY_CAUSE: Final = ByColumn(
    Column(name="cause", sql=f"multiIf({_CHOICES}, '{Cause.PART_UNPRICED}')", kind=Kind.TEXT, param_type="String")
)
