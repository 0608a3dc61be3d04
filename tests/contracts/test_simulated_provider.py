"""The simulated provider speaks as the real ones do: their own SDKs read it, and its ledger is what it said."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx
import openai
import pytest

from services.simulator.server import SimulatedProvider

LONG = "All the terms of the contract. " * 400
ONCE = {"Connection": "close"}  # each client sends one request, and nobody closes it


@pytest.fixture
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(seed=7) as running:
        yield running


def _openai(provider: SimulatedProvider) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-x", max_retries=0, default_headers=ONCE)


def _anthropic(provider: SimulatedProvider) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=provider.url, api_key="sk-x", max_retries=0, default_headers=ONCE)


def test_a_chat_response_names_the_dated_model_and_its_usage(provider: SimulatedProvider) -> None:
    response = _openai(provider).chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}]
    )
    (line,) = provider.ledger
    assert (response.id, response.model) == (line.id, "gpt-4o-mini-2024-07-18")
    assert response.choices[0].message.content
    assert response.usage
    assert line.usage
    assert response.usage.prompt_tokens == line.usage.prompt_tokens + line.usage.prompt_cache_read_tokens
    assert response.usage.completion_tokens == line.usage.completion_tokens > 0


@pytest.mark.parametrize("requests_for_usage", [True, False])
def test_a_chat_stream_ends_with_its_usage_only_when_asked(
    provider: SimulatedProvider, requests_for_usage: bool
) -> None:
    given = {"stream_options": {"include_usage": True}} if requests_for_usage else {}
    chunks = list(
        _openai(provider).chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": LONG}], stream=True, extra_body=given
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert [bool(chunk.usage) for chunk in chunks].count(True) == requests_for_usage
    if requests_for_usage:
        usage, billed = chunks[-1].usage, provider.ledger[0].usage
        assert usage
        assert billed
        assert usage.prompt_tokens == billed.prompt_tokens + billed.prompt_cache_read_tokens > 1024


def test_a_reasoning_model_bills_its_reasoning(provider: SimulatedProvider) -> None:
    response = _openai(provider).responses.create(model="o4-mini", input="Why?")
    billed = provider.ledger[0].usage
    assert response.usage
    assert billed
    assert response.usage.output_tokens_details.reasoning_tokens == billed.reasoning_tokens > 0
    assert response.usage.output_tokens == billed.completion_tokens + billed.reasoning_tokens


def test_a_streamed_response_ends_with_the_whole_response(provider: SimulatedProvider) -> None:
    with _openai(provider).responses.stream(model="gpt-4o", input="Hello!") as stream:
        reported = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        response = stream.get_final_response()
    assert response.output_text == reported != ""
    assert response.usage
    assert response.usage.total_tokens > 0


def test_embeddings_have_one_vector_for_each_text(provider: SimulatedProvider) -> None:
    response = _openai(provider).embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert [len(entry.embedding) for entry in response.data] == [1536, 1536]
    assert response.usage.prompt_tokens == response.usage.total_tokens > 0


def test_anthropic_writes_a_marked_prompt_to_its_cache_once_and_then_reads_it(provider: SimulatedProvider) -> None:
    def ask(question: str, ttl: str) -> anthropic.types.Usage:
        response = _anthropic(provider).messages.create(
            model="claude-haiku-4-5",
            max_tokens=50,
            system=[{"type": "text", "text": LONG + ttl, "cache_control": {"type": "ephemeral", "ttl": ttl}}],  # type: ignore[typeddict-item]
            messages=[{"role": "user", "content": question}],
        )
        assert response.model == "claude-haiku-4-5-20251001"
        return response.usage

    written, read, written_1h = ask("First?", "5m"), ask("Second?", "5m"), ask("Third?", "1h")
    assert written.cache_creation
    assert written_1h.cache_creation
    assert written.cache_creation_input_tokens == written.cache_creation.ephemeral_5m_input_tokens
    assert read.cache_read_input_tokens == written.cache_creation_input_tokens
    assert read.cache_creation_input_tokens == 0
    assert written_1h.cache_creation.ephemeral_1h_input_tokens == written_1h.cache_creation_input_tokens != 0


def test_an_anthropic_stream_gives_input_first_and_output_last(provider: SimulatedProvider) -> None:
    with _anthropic(provider).messages.stream(
        model="claude-haiku-4-5", max_tokens=50, messages=[{"role": "user", "content": "Hello!"}]
    ) as stream:
        kinds = [event.type for event in stream if event.type in ("message_start", "message_delta", "message_stop")]
        response = stream.get_final_message()
    billed = provider.ledger[0].usage
    assert kinds == ["message_start", "message_delta", "message_stop"]
    assert billed
    assert (response.usage.input_tokens, response.usage.output_tokens) == (
        billed.prompt_tokens,
        billed.completion_tokens,
    )


def test_the_asked_share_of_requests_fails_in_each_providers_own_way() -> None:
    with SimulatedProvider(seed=1, error_share=1.0) as provider:
        seen: Counter[str] = Counter()
        for _ in range(20):
            with pytest.raises(openai.APIStatusError) as refused:
                _openai(provider).models.list()
            seen[type(refused.value).__name__] += 1
            with pytest.raises(anthropic.APIStatusError) as declined:
                _anthropic(provider).messages.create(
                    model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": "x"}]
                )
            seen[f"anthropic {declined.value.status_code}"] += 1
    assert set(seen) == {"RateLimitError", "InternalServerError", "anthropic 429", "anthropic 500", "anthropic 529"}
    assert all(line.usage is None for line in provider.ledger)


def test_one_seed_gives_the_same_responses_again() -> None:
    ledgers = []
    for _ in range(2):
        with SimulatedProvider(seed=3, error_share=0.3) as provider:
            for number in range(12):
                httpx.post(
                    f"{provider.url}/v1/chat/completions",
                    json={"model": "o4-mini", "messages": [{"role": "user", "content": f"{number}"}]},
                    headers={"Authorization": "Bearer sk-x"},
                )
        ledgers.append([(line.status, line.usage) for line in provider.ledger])
    assert ledgers[0] == ledgers[1]
    assert {status for status, _ in ledgers[0]} > {200}


@pytest.mark.parametrize(
    ("path", "body", "key", "status"),
    [
        ("/v1/chat/completions", b"{", "sk-x", 400),
        ("/v1/chat/completions", b"[]", "sk-x", 400),
        ("/v1/messages", b'{"model":"claude-haiku-4-5"}', "sk-x", 400),
        ("/v1/nothing", b"{}", "sk-x", 404),
        ("/v1/chat/completions", b"{}", "", 401),
    ],
)
def test_what_it_cannot_respond_to_is_refused_as_a_provider_would(
    provider: SimulatedProvider, path: str, body: bytes, key: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = httpx.post(provider.url + path, content=body, headers=headers)
    assert response.status_code == status
    assert response.json()["error"]["message"]


def test_control_headers_that_reach_it_are_noticed(provider: SimulatedProvider) -> None:
    httpx.get(f"{provider.url}/v1/models", headers={"Authorization": "x", "Helicone-User-Id": "user-123"})
    assert provider.ledger[0].control_headers == ("helicone-user-id",)


def test_latency_is_scaled() -> None:
    with SimulatedProvider(latency_scale=0.25) as provider:
        began = time.monotonic()
        _openai(provider).models.list()
        assert time.monotonic() - began >= 0.1


def test_many_clients_at_once_are_all_in_the_ledger(provider: SimulatedProvider) -> None:
    def ask(number: int) -> str:
        with httpx.Client() as client:
            responses = [
                client.post(
                    f"{provider.url}/v1/chat/completions",
                    json={"model": "gpt-4o", "messages": [{"role": "user", "content": f"{number} {turn}"}]},
                    headers={"Authorization": "Bearer sk-x"},
                ).json()["id"]
                for turn in range(20)
            ]
        return " ".join(responses)

    with ThreadPoolExecutor(8) as pool:
        seen = " ".join(pool.map(ask, range(8))).split()
    assert sorted(seen) == sorted(line.id for line in provider.ledger)
    assert len(set(seen)) == 160
