"""The tags that a key forces, brings along by default, or requires, and what becomes of a request's own.

A name is that of a property, or one of `FIELDS`. Names match without regard to case, as they do in rows.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from schemas.errors import Forbidden, InvalidRequest
from schemas.event import RequestTags
from schemas.key import KeyTags, MissingTags

FIELDS: Final[Mapping[str, str]] = {  # by the header that sets them, in lower case
    "helicone-user-id": "user_id",
    "helicone-session-id": "session_id",
    "helicone-session-name": "session_name",
    "helicone-session-path": "session_path",
    "helicone-prompt-id": "prompt_id",
}
UNATTRIBUTED: Final = "unattributed"
_OWN_PREFIX: Final = "helicone-"
_MAX_NAME_CHARACTERS: Final = 200
_MAX_VALUE_CHARACTERS: Final = 2000


class MissingTag(InvalidRequest):
    """A request lacks a tag that its key requires."""

    code = "missing_tag"


def with_key_tags(tags: RequestTags, of_key: KeyTags, missing: MissingTags) -> RequestTags:
    """The `tags` of a request by a key with tags of its own. What is blank counts as missing.

    Raises: MissingTag where `missing` says so.
    """
    merged = _Tags(tags)
    for name, value in of_key.default.items():
        if merged.is_blank(name):
            merged.fill(name, value)
    for name, value in of_key.forced.items():
        merged.force(name, value)
    for name in of_key.required:
        if merged.is_blank(name):
            if missing is MissingTags.REFUSE:
                raise MissingTag(f"this key requires the tag {name!r}: send '{_header(name)}: <value>'")
            merged.fill(name, UNATTRIBUTED)
    return replace(tags, properties=merged.properties(), **merged.fields)


def check_key_tag(name: str, value: str, of_key: KeyTags) -> None:
    """Whether a key may set the tag `name` to `value` on a finished request.

    Raises: Forbidden where it forces that tag, MissingTag where it requires that and `value` is blank.
    """
    lowered = name.lower()
    if lowered in map(str.lower, of_key.forced):
        raise Forbidden(f"this key forces the tag {name!r}, so it may not set that on a request")
    if not value.strip() and lowered in map(str.lower, of_key.required):
        raise MissingTag(f"this key requires the tag {name!r}: it may not be set to a blank value")


class _Tags:
    """The tags of one request while they are merged."""

    def __init__(self, tags: RequestTags) -> None:
        self.fields: dict[str, str | None] = {field: getattr(tags, field) for field in FIELDS.values()}
        self.fields["default_user_id"] = tags.default_user_id
        self._properties = {name.lower(): (name, value) for name, value in tags.properties.items()}

    def is_blank(self, name: str) -> bool:
        key = name.lower()
        if key not in FIELDS:
            return not self._properties.get(key, ("", ""))[1].strip()
        filled = self.fields["default_user_id"] if FIELDS[key] == "user_id" else None
        return not (self.fields[FIELDS[key]] or filled or "").strip()

    def force(self, name: str, value: str) -> None:
        key = name.lower()
        if key in FIELDS:
            self.fields[FIELDS[key]] = value
        else:
            self._properties[key] = (name, value)

    def fill(self, name: str, value: str) -> None:
        """Sets what is blank. A user may also be named in the body, which is parsed later, and counts first."""
        if FIELDS.get(name.lower()) == "user_id":
            self.fields |= {"user_id": None, "default_user_id": value}
        else:
            self.force(name, value)

    def properties(self) -> dict[str, str]:
        return dict(self._properties.values())


def parse_key_tags(forced: Sequence[str], default: Sequence[str], required: Sequence[str]) -> KeyTags | None:
    """The tags of a new key: `forced` and `default` as NAME=VALUE; None when there are none.

    Raises: InvalidRequest, which names the culprit.
    """
    tags = KeyTags(
        forced=dict(map(_pair, forced)), default=dict(map(_pair, default)), required=tuple(map(_name, required))
    )
    for what, names in (("force", forced), ("default", default), ("require", required)):
        _check_unique(what, [text.partition("=")[0].strip().lower() for text in names])
    both = {name.lower() for name in tags.forced} & {name.lower() for name in tags.default}
    if both:
        raise InvalidRequest(f"the tag {min(both)!r} is forced, so it needs no default")
    return tags if tags != KeyTags() else None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value.strip() or len(value) > _MAX_VALUE_CHARACTERS or not value.isprintable():
        raise InvalidRequest(
            f"{text[:100]!r} is not NAME=VALUE with a value of at most {_MAX_VALUE_CHARACTERS} characters"
        )
    return _name(name), value.strip()


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > _MAX_NAME_CHARACTERS or not name.isprintable() or "=" in name:
        raise InvalidRequest(f"{text[:100]!r} is no name of a tag: properties have names such as Feature")
    if name.lower().startswith(_OWN_PREFIX) and name.lower() not in FIELDS:
        known = ", ".join(field.title() for field in FIELDS)
        raise InvalidRequest(f"{name!r} is no tag: give the name of a property alone, or one of {known}")
    return name


def _check_unique(what: str, names: Sequence[str]) -> None:
    twice = sorted(name for name in names if names.count(name) > 1)
    if twice:
        raise InvalidRequest(f"--{what} names {twice[0]!r} twice; names match in any case")


def _header(name: str) -> str:
    return name if name.lower() in FIELDS else f"Helicone-Property-{name}"
