"""One span of a trace, and whether it is a call of a model.

Names are those of OpenLLMetry, as it was when Helicone's package was written and as it is, and of OpenTelemetry.
Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

Attribute: TypeAlias = str | int | float | bool  # lists and objects are JSON texts
ERROR: Final = 2  # the code of a status

# Spans around calls, which repeat what the calls in them used.
_AROUND: Final = frozenset({"create_agent", "execute_tool", "invoke_agent", "invoke_workflow", "plan"})
_MODEL: Final = ("gen_ai.response.model", "gen_ai.request.model")
_USAGE: Final = "gen_ai.usage."
_REQUEST_TYPE: Final = "llm.request.type"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""
    start_ns: int = 0  # Unix time, as `end_ns`
    end_ns: int = 0
    status: int = 0  # ERROR, or others
    status_message: str = ""
    attributes: Mapping[str, Attribute] = {}

    def text(self, *names: str) -> str:
        """The first of the attributes that is a text which is not empty; '' without one."""
        found = (self.attributes.get(name) for name in names)
        return next((value for value in found if isinstance(value, str) and value), "")

    def count(self, *names: str) -> int | None:
        """The first of the attributes that is a number, which may be written as a text."""
        for name in names:
            value = self.attributes.get(name)
            if isinstance(value, str) and value.isdecimal() and len(value) <= 18:
                return int(value)
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63:
                return int(value)
        return None

    @property
    def is_call(self) -> bool:
        """Whether it is a call of a model, and nothing around one."""
        operation = self.text("gen_ai.operation.name")
        if operation in _AROUND:
            return False
        has_model = bool(self.text(*_MODEL))
        if self.text(_REQUEST_TYPE) or operation:
            return has_model or any(name.startswith(_USAGE) for name in self.attributes)
        return has_model and bool(self.text("gen_ai.system", "gen_ai.provider.name"))
