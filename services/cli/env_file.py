"""Every setting with its default and meaning, in the form of an environment file."""

import textwrap
from collections.abc import Iterator

from services.settings.environment import PREFIX
from services.settings.processes import ALL_SETTINGS, Settings

_OPENING = """\
# Every setting of Farebox, with its default. A process reads its own from the environment when it starts.
# The defaults are for one process on one machine; docker-compose.yml shows those for many.
# Written by `farebox settings`.
"""


def environment_file() -> str:
    """The content of deploy/env.example."""
    return _OPENING + "".join(_sections())


def _sections() -> Iterator[str]:
    seen: set[str] = set()
    kinds: tuple[type[Settings], ...] = (Settings, *ALL_SETTINGS)
    for kind in kinds:
        fields = {name: field for name, field in kind.model_fields.items() if name not in seen}
        seen.update(fields)
        title = kind.__name__.removesuffix("Settings") or "All processes"
        yield f"\n# --- {title} ---\n"
        for name, field in fields.items():
            meaning = textwrap.fill(field.description or "", 116, initial_indent="# ", subsequent_indent="# ")
            yield f"\n{meaning}\n{PREFIX}{name.upper()}={field.default}\n"
