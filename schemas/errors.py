"""The exception tree: the branch decides what the handler does. Anything outside it is a bug and stops the process."""


class FareboxError(Exception):
    """The root. Its text is shown to people: it names the culprit and never holds a secret."""

    code = "error"


class Rejected(FareboxError):
    """The client's fault: the response has `status`, never retried."""

    code = "rejected"
    status = 400


class Unauthenticated(Rejected):
    code = "unauthenticated"
    status = 401


class ExpiredKey(Unauthenticated):
    """A key, or one of its secrets, that was valid once. Its text says until when."""

    code = "expired_key"


class Forbidden(Rejected):
    code = "forbidden"
    status = 403


class NotFound(Rejected):
    code = "not_found"
    status = 404


class Conflict(Rejected):
    """Something else is running, or has changed since."""

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


class QueryLimitExceeded(InvalidRequest):
    """The query would take more of the warehouse than one query may."""

    code = "query_limit"


class InvalidSetting(Rejected):
    """A setting that cannot be used. The process names it and does not start."""

    code = "invalid_setting"


class PoisonMessage(FareboxError):
    """This event's fault: dead-lettered with its bytes; the other events go on."""

    code = "poison"


class UndecodableEvent(PoisonMessage):
    code = "undecodable"


class UnsupportedVersion(PoisonMessage):
    code = "unsupported_version"


class UnreadableExchange(PoisonMessage):
    """A fault of ours that this event revealed. A version without it can process the event again."""

    code = "unreadable"


class LogConflict(PoisonMessage):
    """A logged call that would replace what it may not. No version makes a row of it."""

    code = "log_conflict"


class UnstorableRecord(PoisonMessage):
    """A record of a batch has a value that its column cannot hold: a smaller batch shows which one."""

    code = "unstorable"


class ChangedMigration(FareboxError):
    """A migration was changed after it was applied. An operator must look."""

    code = "changed_migration"


class Unavailable(FareboxError):
    """An outside system's fault: retried with backoff; nothing is committed meanwhile."""

    code = "unavailable"


class Busy(Unavailable):
    """Too much is being done at once, of this client or of all."""

    code = "busy"


class BrokerUnavailable(Unavailable):
    code = "broker_unavailable"


class JournalDamaged(BrokerUnavailable):
    """A file of the journal is not as it was written. Events go to a new file beside it; an operator must look."""

    code = "journal_damaged"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


class UpstreamUnavailable(Unavailable):
    """The provider could not be reached, or its response broke off."""

    code = "upstream_unavailable"
    permanent = False  # another attempt would fail too


class UpstreamTimedOut(UpstreamUnavailable):
    """The provider was too slow."""

    code = "upstream_timed_out"


class LogTruncated(FareboxError):
    """The event log deleted entries before they were consumed. Only an operator can decide where to continue."""

    code = "log_truncated"
