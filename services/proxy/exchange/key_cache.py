"""Whose key is it: answered from memory for keys that were seen lately, so that no request waits for the store."""

import asyncio
import re
from collections.abc import Callable
from time import monotonic
from typing import Final, TypeVar

from schemas.errors import FareboxError, Forbidden, StoreUnavailable, Unauthenticated
from schemas.key import ApiKey, KeyOwner, Permission
from services.ports import KeyStore

FRESH_S: Final = 60.0  # a verdict is used without asking
STALE_S: Final = 120.0  # until then it is still used, while the store is asked in the background
REFUSED_FRESH_S: Final = 5.0  # a refused key is asked about again, since it may have been created
RETRY_S: Final = 5.0  # between two questions about a known key while the store is away
MAX_GOOD: Final = 10_000  # keys that are remembered
MAX_REFUSED: Final = 10_000
MAX_KNOWN_LOOKUPS: Final = 1_000  # at once, of keys that were good when last looked up
MAX_UNKNOWN_LOOKUPS: Final = 5_000  # of all others; the store takes hundreds in one query

AuthResult = KeyOwner | FareboxError  # whose key it is, or why not
AuthCallback = Callable[[AuthResult], None]
T = TypeVar("T")

_SCHEME: Final = b"Bearer "
_BEARER: Final = re.compile(rb"[Bb]earer +([!-~]{8,256})")
_ONE_WORD: Final = re.compile(rb"[Bb]earer +[^ \t]+")


class ApiKeyCache:
    """Verdicts by the raw header value. They live in this process's memory only.

    Good keys have room and lookups of their own, so a flood of wrong ones neither evicts them nor makes them wait.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._good: dict[bytes, tuple[KeyOwner, float]] = {}  # and the monotonic second of the verdict
        self._refused: dict[bytes, tuple[FareboxError, float]] = {}
        self._known_lookups: dict[bytes, list[AuthCallback]] = {}
        self._unknown_lookups: dict[bytes, list[AuthCallback]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def check(self, bearer: bytes | None, tell: AuthCallback) -> None:
        """Calls `tell` with the owner, or with Unauthenticated, Forbidden or StoreUnavailable.

        At once when the key was seen lately; after the store has answered otherwise.
        """
        if bearer is None:
            tell(Unauthenticated("Helicone-Auth is missing: send 'Helicone-Auth: Bearer <key>'"))
            return
        good = self._good.get(bearer)
        if good is None:
            found = _BEARER.fullmatch(bearer)
            if found is None:
                tell(_no_key(bearer))
                return
            bearer = _SCHEME + found[1]  # a key has one place, however it is spelled
            good = self._good.get(bearer)
        if good is not None and (age_s := monotonic() - good[1]) < STALE_S:
            tell(good[0])
            if age_s >= FRESH_S:
                self._ask(bearer, None)
            return
        refused = self._refused.get(bearer)
        if refused is not None and monotonic() - refused[1] < REFUSED_FRESH_S:
            tell(refused[0])
        else:
            self._ask(bearer, tell)

    def _ask(self, bearer: bytes, tell: AuthCallback | None) -> None:
        is_known = bearer in self._good
        lookups = self._known_lookups if is_known else self._unknown_lookups
        waiting = lookups.get(bearer)
        if waiting is not None:
            if tell is not None:
                waiting.append(tell)
        elif len(lookups) < (MAX_KNOWN_LOOKUPS if is_known else MAX_UNKNOWN_LOOKUPS):
            lookups[bearer] = [] if tell is None else [tell]
            task = asyncio.get_running_loop().create_task(self._resolve(bearer, lookups))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif tell is not None:
            tell(StoreUnavailable("too many keys are being looked up; try again"))

    async def _resolve(self, bearer: bytes, lookups: dict[bytes, list[AuthCallback]]) -> None:
        secret = bearer.removeprefix(_SCHEME).decode("ascii")
        try:
            verdict = _verdict(await self._store.key_of(secret))
        except StoreUnavailable:
            verdict = self._while_away(bearer)
        except BaseException:
            verdict = StoreUnavailable("the key could not be checked")
            raise
        else:
            self._remember(bearer, verdict)
        finally:
            for tell in lookups.pop(bearer, ()):
                tell(verdict)

    def _while_away(self, bearer: bytes) -> AuthResult:
        """Keys that were good stay good; nobody can tell about the others."""
        good = self._good.get(bearer)
        if good is None:
            return StoreUnavailable("the key cannot be checked at the moment; try again")
        self._good[bearer] = (good[0], monotonic() - FRESH_S + RETRY_S)  # fresh for RETRY_S more
        return good[0]

    def _remember(self, bearer: bytes, verdict: AuthResult) -> None:
        self._good.pop(bearer, None)
        self._refused.pop(bearer, None)
        if isinstance(verdict, KeyOwner):
            _keep(self._good, bearer, verdict, MAX_GOOD)
        else:
            _keep(self._refused, bearer, verdict, MAX_REFUSED)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _keep(kept: dict[bytes, tuple[T, float]], bearer: bytes, verdict: T, limit: int) -> None:
    while len(kept) >= limit:
        del kept[next(iter(kept))]  # the one given longest ago
    kept[bearer] = (verdict, monotonic())


def _no_key(bearer: bytes) -> Unauthenticated:
    """For what cannot be a key that was ever made. In the right form it is wrong, not malformed."""
    if _ONE_WORD.fullmatch(bearer):
        return _unknown_key()
    return Unauthenticated("Helicone-Auth is malformed: it must be 'Bearer <key>'")


def _unknown_key() -> Unauthenticated:
    return Unauthenticated("Helicone-Auth holds a key that is unknown or revoked")


def _verdict(key: ApiKey | None) -> AuthResult:
    if key is None:
        return _unknown_key()
    if key.permission is Permission.READ:
        return Forbidden("this key may read only; requests need a key that may write")
    return KeyOwner(organization_id=key.organization_id, key_id=key.id)
