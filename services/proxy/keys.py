"""Whose key is it: answered from memory for keys that were seen lately, so that no request waits for the store."""

import asyncio
import re
from collections.abc import Callable
from time import monotonic
from typing import Final

from schemas.errors import FareboxError, Forbidden, StoreUnavailable, Unauthenticated
from schemas.key import ApiKey, KeyOwner, Permission
from services.ports import KeyStore

FRESH_S: Final = 60.0  # a verdict is used without asking
STALE_S: Final = 120.0  # until then it is still used, while the store is asked in the background
REFUSED_FRESH_S: Final = 5.0  # a refused key is asked about again, since it may have been created
RETRY_S: Final = 5.0  # between two questions about a known key while the store is away
MAX_VERDICTS: Final = 10_000
MAX_QUESTIONS: Final = 256

Verdict = KeyOwner | FareboxError  # whose key it is, or why not
Tell = Callable[[Verdict], None]

_BEARER = re.compile(rb"[Bb]earer +([!-~]{8,256})")
_ONE_WORD: Final = re.compile(rb"[Bb]earer +[^ \t]+")


class Keyring:
    """Verdicts by the raw header value. They live in this process's memory only."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._verdicts: dict[bytes, tuple[Verdict, float]] = {}  # and the monotonic second it was given
        self._asking: dict[bytes, list[Tell]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def check(self, bearer: bytes | None, tell: Tell) -> None:
        """Calls `tell` with the owner, or with Unauthenticated, Forbidden or StoreUnavailable.

        At once when the key was seen lately; after the store has answered otherwise.
        """
        if bearer is None:
            tell(Unauthenticated("Helicone-Auth is missing: send 'Helicone-Auth: Bearer <key>'"))
            return
        known = self._verdicts.get(bearer)
        if known is not None:
            age_s = monotonic() - known[1]
            refused = isinstance(known[0], FareboxError)
            if age_s < (REFUSED_FRESH_S if refused else FRESH_S):
                tell(known[0])
                return
            if not refused and age_s < STALE_S:
                tell(known[0])
                self._ask(bearer, None)
                return
        self._ask(bearer, tell)

    def _ask(self, bearer: bytes, tell: Tell | None) -> None:
        found = _BEARER.fullmatch(bearer)
        waiting = self._asking.get(bearer)
        if found is None:
            if tell is not None:
                tell(_no_key(bearer))
        elif waiting is not None:
            if tell is not None:
                waiting.append(tell)
        elif len(self._asking) < MAX_QUESTIONS:
            self._asking[bearer] = [] if tell is None else [tell]
            task = asyncio.get_running_loop().create_task(self._resolve(bearer, found[1].decode("ascii")))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif tell is not None:
            tell(StoreUnavailable("too many unknown keys are being looked up; try again"))

    async def _resolve(self, bearer: bytes, secret: str) -> None:
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
            for tell in self._asking.pop(bearer, ()):
                tell(verdict)

    def _while_away(self, bearer: bytes) -> Verdict:
        """Keys that were good stay good; nobody can tell about the others."""
        known = self._verdicts.get(bearer)
        if known is None or isinstance(known[0], FareboxError):
            return StoreUnavailable("the key cannot be checked at the moment; try again")
        self._verdicts[bearer] = (known[0], monotonic() - FRESH_S + RETRY_S)  # fresh for RETRY_S more
        return known[0]

    def _remember(self, bearer: bytes, verdict: Verdict) -> None:
        self._verdicts.pop(bearer, None)
        while len(self._verdicts) >= MAX_VERDICTS:
            del self._verdicts[next(iter(self._verdicts))]  # the one given longest ago
        self._verdicts[bearer] = (verdict, monotonic())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _no_key(bearer: bytes) -> Unauthenticated:
    """For what cannot be a key that was ever made. In the right form it is wrong, not malformed."""
    if _ONE_WORD.fullmatch(bearer):
        return _unknown_key()
    return Unauthenticated("Helicone-Auth is malformed: it must be 'Bearer <key>'")


def _unknown_key() -> Unauthenticated:
    return Unauthenticated("Helicone-Auth holds a key that is unknown or revoked")


def _verdict(key: ApiKey | None) -> Verdict:
    if key is None:
        return _unknown_key()
    if key.permission is Permission.READ:
        return Forbidden("this key may read only; requests need a key that may write")
    return KeyOwner(organization_id=key.organization_id, key_id=key.id)
