"""The exception tree: the branch decides what the handler does. Anything outside it is a bug and stops the process."""


class FareboxError(Exception):
    """The root. Its text is shown to people: it names the culprit and never holds a secret."""

    code = "error"


class Rejected(FareboxError):
    """The client's fault: answered with `status`, never retried."""

    code = "rejected"
    status = 400


class Unauthenticated(Rejected):
    code = "unauthenticated"
    status = 401


class Forbidden(Rejected):
    code = "forbidden"
    status = 403


class NotFound(Rejected):
    code = "not_found"
    status = 404


class Conflict(Rejected):
    """Not now: something else is under way, or has happened since."""

    code = "conflict"
    status = 409


class TooLarge(Rejected):
    code = "too_large"
    status = 413


class InvalidRequest(Rejected):
    code = "invalid_request"
    status = 422


class InvalidFilter(InvalidRequest):
    code = "invalid_filter"


class InvalidSetting(Rejected):
    """A setting that cannot be used. The process says which and does not start."""

    code = "invalid_setting"


class PoisonMessage(FareboxError):
    """This event's fault: buried with its bytes; the events beside it go on."""

    code = "poison"


class UndecodableEvent(PoisonMessage):
    code = "undecodable"


class UnsupportedVersion(PoisonMessage):
    code = "unsupported_version"


class UnreadableExchange(PoisonMessage):
    """A fault of ours that this event brought to light. A version without it can read the event again."""

    code = "unreadable"


class LogConflict(PoisonMessage):
    """A logged call that would replace what it may not. No version makes a row of it."""

    code = "log_conflict"


class UnstorableRecord(PoisonMessage):
    """A record of a batch holds a value that its column cannot: a smaller batch tells which one."""

    code = "unstorable"


class ChangedMigration(FareboxError):
    """A migration that was applied once is not what it was. Somebody must look."""

    code = "changed_migration"


class Unavailable(FareboxError):
    """The world's fault: retried with backoff; nothing is committed meanwhile."""

    code = "unavailable"


class Busy(Unavailable):
    """Too much is being done at once, of this client or of all."""

    code = "busy"


class BrokerUnavailable(Unavailable):
    code = "broker_unavailable"


class JournalDamaged(BrokerUnavailable):
    """A file of the journal is not as it was written. Events go to a fresh file beside it; somebody must look."""

    code = "journal_damaged"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


class UpstreamUnavailable(Unavailable):
    """The provider could not be reached, or its response broke off."""

    code = "upstream_unavailable"


class UpstreamTimedOut(UpstreamUnavailable):
    """The provider was too slow."""

    code = "upstream_timed_out"


class LogTruncated(FareboxError):
    """The event log deleted entries before they were consumed. Only an operator can say where to go on."""

    code = "log_truncated"
