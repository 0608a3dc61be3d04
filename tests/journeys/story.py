"""The walkthrough of the two documents the project was made from, in order, through the providers' own SDKs.

It needs only addresses and a key, so the same story is reported on every shape of Farebox.
"""

import asyncio
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from anthropic import Anthropic
from helicone_helpers import HeliconeManualLogger
from openai import AsyncOpenAI, OpenAI

from services.simulator.tokens import tokens_in
from tests.journeys.ledger import cost_of

PROVIDER_KEY = "sk-provider-key-of-the-client"


class Story:
    """One application's calls, and what they must have cost by request id."""

    def __init__(self, *, proxy_url: str, query_url: str, key: str) -> None:
        self.proxy_url = proxy_url
        self.query_url = query_url
        self.key = key
        self.ledger: dict[str, Decimal] = {}
        auth = {"Helicone-Auth": f"Bearer {key}"}
        openai: dict[str, Any] = {"base_url": f"{proxy_url}/oai/v1", "api_key": PROVIDER_KEY, "default_headers": auth}
        self._openai = OpenAI(**openai, max_retries=0)
        self._async_openai = AsyncOpenAI(**openai, max_retries=0)
        self._anthropic = Anthropic(
            base_url=f"{proxy_url}/anthropic", api_key=PROVIDER_KEY, default_headers=auth, max_retries=0
        )

    def close(self) -> None:
        self._openai.close()
        self._anthropic.close()

    def chat(self, model: str = "gpt-4o-mini", text: str = "Hello!", user: str | None = None, **tags: str) -> str:
        """One plain OpenAI chat call; its request id."""
        request_id, headers = _tagged(tags)
        given: dict[str, Any] = {"user": user} if user else {}
        response = self._openai.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], extra_headers=headers, **given
        )
        self._saw(request_id, response)
        return request_id

    def chat_streamed(self, **tags: str) -> str:
        """A streamed chat call that requests its usage."""
        request_id, headers = _tagged(tags)
        stream = self._openai.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Tell me a story."}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=headers,
        )
        last = list(stream)[-1]
        self._saw(request_id, last)
        return request_id

    def chat_streamed_plainly(self, **tags: str) -> str:
        """A streamed chat call that does not ask for its usage, and so is reported nothing about it.

        The provider counts its tokens from the text, which the client can do as well.
        """
        request_id, headers = _tagged(tags)
        stream = self._openai.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Tell me a story."}],
            stream=True,
            extra_headers=headers,
        )
        chunks = list(stream)
        assert all(chunk.choices and chunk.usage is None for chunk in chunks)
        reported = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        usage = {"prompt_tokens": tokens_in("Tell me a story."), "completion_tokens": tokens_in(reported)}
        self.ledger[request_id] = cost_of(chunks[0].model, usage)
        return request_id

    def chats_at_once(self, count: int, **tags: str) -> list[str]:
        """`count` chat calls at the same time, by the asynchronous SDK."""

        async def one() -> str:
            request_id, headers = _tagged(tags)
            response = await self._async_openai.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "What is new?"}], extra_headers=headers
            )
            self._saw(request_id, response)
            return request_id

        async def all_of_them() -> list[str]:
            async with self._async_openai:
                return list(await asyncio.gather(*(one() for _ in range(count))))

        return asyncio.run(all_of_them())

    def responses(self, **tags: str) -> str:
        request_id, headers = _tagged(tags)
        response = self._openai.responses.create(model="gpt-4o-mini", input="Hello!", extra_headers=headers)
        self._saw(request_id, response)
        return request_id

    def embeddings(self, **tags: str) -> str:
        request_id, headers = _tagged(tags)
        response = self._openai.embeddings.create(
            model="text-embedding-3-small", input="Where are the tickets?", extra_headers=headers
        )
        self._saw(request_id, response)
        return request_id

    def message(self, **tags: str) -> str:
        """One plain Anthropic call."""
        request_id, headers = _tagged(tags)
        response = self._anthropic.messages.create(
            model="claude-sonnet-4-5",
            max_tokens=200,
            messages=[{"role": "user", "content": "Hello!"}],
            extra_headers=headers,
        )
        self._saw(request_id, response)
        return request_id

    def message_streamed(self, **tags: str) -> str:
        request_id, headers = _tagged(tags)
        with self._anthropic.messages.stream(
            model="claude-sonnet-4-5",
            max_tokens=200,
            messages=[{"role": "user", "content": "Hello!"}],
            extra_headers=headers,
        ) as stream:
            response = stream.get_final_message()
        self._saw(request_id, response)
        return request_id

    def log_at_the_query_service(self, **tags: str) -> str:
        """A call made elsewhere, logged by Helicone's own client at the address that responses queries."""
        request_id, headers = _tagged(tags)
        usage = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
        response = {"object": "chat.completion", "model": "gpt-4o-mini", "usage": usage}
        logger = HeliconeManualLogger(api_key=self.key, logging_endpoint=self.query_url)
        requested = {"model": "gpt-4o-mini", "messages": []}
        logger.log_request(requested, lambda recorder: recorder.append_results(response), headers, provider="openai")
        self.ledger[request_id] = cost_of("gpt-4o-mini", usage)
        return request_id

    def fetched(self, url: str) -> tuple[int, Any]:
        """Status and JSON of what is at `url`, without a key."""
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return response.status, json.loads(response.read(), parse_float=Decimal)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())

    def _saw(self, request_id: str, response: Any) -> None:
        self.ledger[request_id] = cost_of(response.model, response.usage.model_dump())

    def ask(self, path: str, body: Mapping[str, Any] | None = None, key: str | None = None) -> tuple[int, Any]:
        """Status and JSON of the query service's response; POST when there is a body."""
        request = urllib.request.Request(
            self.query_url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.loads(response.read(), parse_float=Decimal)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())

    def rows(self, request_ids: Iterable[str], within_s: float = 30) -> dict[str, dict[str, Any]]:
        """The rows of these requests, once all of them are there. Raises: AssertionError naming the missing ones."""
        wanted = set(request_ids)
        deadline = time.monotonic() + within_s
        while True:
            # Counting is cheap beside reading all pages. Rows that arrive between two pages push others on to the next
            # one, so one may be seen twice here.
            pages = self.paged() if self.count() >= len(wanted) else ()
            found = {row["request_id"]: row for row in pages}
            if wanted <= set(found):
                return {request_id: found[request_id] for request_id in wanted}
            missing = sorted(wanted - set(found))
            assert time.monotonic() < deadline, f"{len(missing)} requests have no row: {missing[:5]}"
            time.sleep(0.5)

    def all_rows(self, still_s: float = 3) -> dict[str, dict[str, Any]]:
        """Every row of the organization by request id, once no more have come for `still_s`.

        Raises: AssertionError when a request has two rows.
        """
        count = -1
        while count != (count := self.count()):
            time.sleep(still_s)
        rows = list(self.paged())
        found = {row["request_id"]: row for row in rows}
        assert len(rows) == len(found) == count
        return found

    def count(self) -> int:
        """How many rows the organization has."""
        return int(self.ask("/v1/request/count/query", {"filter": "all"})[1]["data"])

    def paged(self) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            question = {"filter": "all", "limit": 1000, "offset": offset, "sort": {"created_at": "asc"}}
            page = self.ask("/v1/request/query-clickhouse", question)[1]["data"]
            if not page:
                return
            yield from page
            offset += len(page)


def _tagged(tags: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A new request id, and the headers that carry it with `tags`; Feature_x=… is spelled Helicone-Feature-x."""
    request_id = str(uuid.uuid4())
    headers = {f"Helicone-{name.replace('_', '-')}": value for name, value in tags.items()}
    return request_id, {"Helicone-Request-Id": request_id, **headers}
