"""An application's day in small: some hundred calls through the proxy, made with the providers' own SDKs.

Nothing here knows Farebox but for a base URL and some headers: this is all that a real application changes.
"""

import asyncio
import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai

from services.cli.demo.history import DOCUMENT_STEPS, TOP_USERS, UNPRICED_MODEL, tier_of

Headers = dict[str, str]
Call = Callable[[Headers], None]

AT_ONCE = 8
_CONTRACT = "The supplier delivers the goods within thirty days of the order. " * 120


class Application:
    """Calls both providers through the proxy at `proxy_url`: synchronous, asynchronous, plain and streamed."""

    def __init__(self, *, proxy_url: str, key: str, seed: int = 0) -> None:
        self._draw = random.Random(seed)
        # No retries: each call is one request, and errors of the provider are part of the day.
        common: dict[str, Any] = {
            "api_key": "sk-simulated",
            "default_headers": {"Helicone-Auth": f"Bearer {key}"},
            "max_retries": 0,
        }
        self._async_settings = {"base_url": f"{proxy_url}/oai/v1", **common}
        self._openai = openai.OpenAI(**self._async_settings)
        self._anthropic = anthropic.Anthropic(base_url=f"{proxy_url}/anthropic", **common)

    def run(self, rounds: int, on_progress: Callable[[int, int], None]) -> None:
        """`rounds` times one call of each kind, in any order; `on_progress` gets the calls done, and all there are."""
        kinds = [kind for _ in range(rounds) for kind in self._round()] + [(self._unpriced, "search", 1)]
        self._draw.shuffle(kinds)
        planned = [(call, self._tags(feature), count) for call, feature, count in kinds]
        done, total = 0, sum(count for _, _, count in planned)
        with ThreadPoolExecutor(AT_ONCE) as pool, self._openai, self._anthropic:
            for count in pool.map(lambda plan: _tried(*plan), planned):
                done += count
                on_progress(done, total)

    def _round(self) -> list[tuple[Call, str, int]]:
        """One call of each kind: what is called, for which feature, and how many calls that makes."""
        return [
            (self._chat, "chat", 1),
            (self._chat_for_user, "chat", 1),
            (self._chat_streamed, "chat", 1),
            (self._message, "chat", 1),
            (self._message_streamed, "chat", 1),
            (self._session, "document-analysis", len(DOCUMENT_STEPS)),
            (self._searches_at_once, "search", 3),
            (self._embedding, "search", 1),
            (self._response, "faq", 1),
        ]

    def _tags(self, feature: str) -> Headers:
        user = self._draw.choices(list(TOP_USERS), weights=list(TOP_USERS.values()))[0]
        return {
            "Helicone-User-Id": user,
            "Helicone-Property-Feature": feature,
            "Helicone-Property-Environment": self._draw.choices(["production", "development"], weights=[87, 13])[0],
            "Helicone-Property-UserTier": tier_of(user),
        }

    def _unpriced(self, tags: Headers) -> None:
        """A model that no price list knows."""
        self._openai.chat.completions.create(
            model=UNPRICED_MODEL, messages=[{"role": "user", "content": "contract"}], extra_headers=tags
        )

    def _chat(self, tags: Headers) -> None:
        self._openai.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}], extra_headers=tags
        )

    def _chat_for_user(self, tags: Headers) -> None:
        """The user is named by OpenAI's own parameter."""
        user = tags.pop("Helicone-User-Id")
        self._openai.chat.completions.create(
            model="gpt-4.1", messages=[{"role": "user", "content": "Where is my order?"}], user=user, extra_headers=tags
        )

    def _chat_streamed(self, tags: Headers) -> None:
        stream = self._openai.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Tell me about the terms."}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=tags,
        )
        for _ in stream:
            """The text is for the user; the usage comes last."""

    def _message(self, tags: Headers) -> None:
        """A long system prompt in Anthropic's prompt cache."""
        self._anthropic.messages.create(
            model="claude-sonnet-5",
            max_tokens=300,
            system=[{"type": "text", "text": _CONTRACT, "cache_control": {"type": "ephemeral"}}],
            messages=[{"role": "user", "content": "When are the goods delivered?"}],
            extra_headers=tags,
        )

    def _message_streamed(self, tags: Headers) -> None:
        with self._anthropic.messages.stream(
            model="claude-haiku-4-5",
            max_tokens=300,
            messages=[{"role": "user", "content": "Hello!"}],
            extra_headers=tags,
        ) as stream:
            stream.until_done()

    def _session(self, tags: Headers) -> None:
        """The steps of one workflow share a session."""
        session = {"Helicone-Session-Id": str(uuid.uuid4()), "Helicone-Session-Name": "Document Analysis"}
        for path, prompt in DOCUMENT_STEPS:
            self._openai.chat.completions.create(
                model="gpt-4o",
                messages=[{"role": "system", "content": _CONTRACT}, {"role": "user", "content": prompt}],
                extra_headers={**tags, **session, "Helicone-Session-Path": path},
            )

    def _searches_at_once(self, tags: Headers) -> None:
        async def search() -> None:
            async with openai.AsyncOpenAI(**self._async_settings) as client:
                await asyncio.gather(
                    *(
                        client.chat.completions.create(
                            model="gpt-4.1-mini", messages=[{"role": "user", "content": text}], extra_headers=tags
                        )
                        for text in ("contract", "termination", "clause")
                    )
                )

        asyncio.run(search())

    def _embedding(self, tags: Headers) -> None:
        self._openai.embeddings.create(
            model="text-embedding-3-small", input="contract termination clause", extra_headers=tags
        )

    def _response(self, tags: Headers) -> None:
        """The request that the guide caches: two identical calls will be one call's cost."""
        self._openai.responses.create(
            model="gpt-5-mini",
            instructions="Answer FAQ questions",
            input="What are your business hours?",
            extra_headers={**tags, "Helicone-Cache-Enabled": "true", "Cache-Control": "max-age=86400"},
        )


def _tried(call: Call, tags: Headers, count: int) -> int:
    try:
        call(tags)
    except (openai.APIStatusError, anthropic.APIStatusError):
        """The provider's error is in the report, like everything else that happened."""
    return count
