"""How the sessions of a provider's realtime API are read: which events of a WebSocket say what is billed."""

from collections.abc import Mapping
from enum import Enum, auto

import msgspec


class Meaning(Enum):
    """What an event of the provider says. All others, such as the audio itself, are passed on unread."""

    SESSION = auto()  # the models of the session
    BEGAN = auto()  # a response is being generated
    DONE = auto()  # a response is whole, failed or cancelled, and has its usage
    TRANSCRIBED = auto()  # what the user said was written down by a model of its own, and has its usage
    FAILED = auto()  # it could not be written down
    ERROR = auto()  # an event of the client's was refused, or the provider failed


class RealtimeApi(msgspec.Struct, frozen=True, kw_only=True):
    """Events are JSON objects with a `type`."""

    paths: str  # URLs that clients connect to: a regular expression, searched in URLs without their query
    model_parameters: tuple[str, ...]  # of the query: which model, the first of them that is there
    meanings: Mapping[str, Meaning]  # of the provider's events, by type
    delta_suffix: str  # the end of the type of events that hold a piece of a response
    audio_events: frozenset[str]  # of the client: sound, which no row keeps
    credential_subprotocols: tuple[str, ...]  # beginnings of those with which browsers bring the key
    error_statuses: Mapping[str, int]  # HTTP's, by the type or the code of an error; of all others 500
