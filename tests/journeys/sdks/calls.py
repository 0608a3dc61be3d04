"""One plain and one streamed call by each SDK: a line of JSON for each, with what the application got.

calls.py PROXY_URL FAREBOX_KEY
"""

import json
import os
import sys
import traceback
import uuid
from collections.abc import Callable
from typing import Any, Final

# An account of nobody's, for SDKs that will not begin without one.
os.environ |= {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE1", "AWS_SECRET_ACCESS_KEY": "secret-of-the-client"}
os.environ |= {
    "AWS_EC2_METADATA_DISABLED": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LANGSMITH_TRACING": "false",
}
KEY: Final = "sk-provider-key"
REGION: Final = "us-east-1"
MESSAGES: Final[Any] = [{"role": "user", "content": "Hello!"}]
Headers = dict[str, str]


def openai_chat(proxy: str, headers: Headers, *, stream: bool) -> str:
    from openai import OpenAI

    client = OpenAI(base_url=f"{proxy}/oai/v1", api_key=KEY, default_headers=headers)
    given: Any = {"model": "gpt-4o-mini", "messages": MESSAGES}
    if not stream:
        return str(client.chat.completions.create(**given).choices[0].message.content)
    chunks = client.chat.completions.create(**given, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def openai_responses(proxy: str, headers: Headers, *, stream: bool) -> str:
    from openai import OpenAI

    client = OpenAI(base_url=f"{proxy}/oai/v1", api_key=KEY, default_headers=headers)
    given: Any = {"model": "gpt-4o-mini", "input": "Hello!"}
    if not stream:
        return str(client.responses.create(**given).output_text)
    events: Any = client.responses.create(**given, stream=True)
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def anthropic(proxy: str, headers: Headers, *, stream: bool) -> str:
    from anthropic import Anthropic

    client = Anthropic(base_url=f"{proxy}/anthropic", api_key=KEY, default_headers=headers)
    given: Any = {"model": "claude-haiku-4-5", "max_tokens": 300, "messages": MESSAGES}
    if not stream:
        return str(client.messages.create(**given).content[0].text)
    with client.messages.stream(**given) as events:
        return "".join(events.text_stream)


def google_genai(proxy: str, headers: Headers, *, stream: bool) -> str:
    from google import genai

    client = genai.Client(api_key=KEY, http_options={"base_url": f"{proxy}/google", "headers": headers})
    given: Any = {"model": "gemini-2.5-flash", "contents": "Hello!"}
    if not stream:
        return str(client.models.generate_content(**given).text)
    return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(**given))


def mistralai(proxy: str, headers: Headers, *, stream: bool) -> str:
    from mistralai.client import Mistral

    client = Mistral(api_key=KEY, server_url=f"{proxy}/mistral")
    given: Any = {"model": "mistral-small-latest", "messages": MESSAGES, "http_headers": headers}
    if not stream:
        return str(client.chat.complete(**given).choices[0].message.content)
    return "".join(event.data.choices[0].delta.content or "" for event in client.chat.stream(**given))


def groq(proxy: str, headers: Headers, *, stream: bool) -> str:
    from groq import Groq

    client = Groq(base_url=f"{proxy}/groq", api_key=KEY, default_headers=headers)
    given: Any = {"model": "llama-3.3-70b-versatile", "messages": MESSAGES}
    if not stream:
        return str(client.chat.completions.create(**given).choices[0].message.content)
    chunks = client.chat.completions.create(**given, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def cohere(proxy: str, headers: Headers, *, stream: bool) -> str:
    from cohere import ClientV2

    client = ClientV2(api_key=KEY, base_url=f"{proxy}/cohere")
    given: Any = {"model": "command-a-03-2025", "messages": MESSAGES}
    given["request_options"] = {"additional_headers": headers}
    if not stream:
        return str(client.chat(**given).message.content[0].text)
    events = client.chat_stream(**given)
    return "".join(event.delta.message.content.text for event in events if event.type == "content-delta")


def _bedrock(proxy: str, headers: Headers) -> Any:
    import boto3

    client = boto3.client("bedrock-runtime", region_name=REGION, endpoint_url=f"{proxy}/bedrock/v1/{REGION}")

    def add_headers(request: Any, **_: Any) -> None:
        for name, value in (headers | _signing()).items():
            request.headers[name] = value

    client.meta.events.register("before-sign.bedrock-runtime.*", add_headers)
    return client


def _signing() -> dict[str, str]:
    return {"aws-access-key": os.environ["AWS_ACCESS_KEY_ID"], "aws-secret-key": os.environ["AWS_SECRET_ACCESS_KEY"]}


def boto3_converse(proxy: str, headers: Headers, *, stream: bool) -> str:
    client = _bedrock(proxy, headers)
    messages = [{"role": "user", "content": [{"text": "Hello!"}]}]
    given: Any = {"modelId": "us.amazon.nova-pro-v1:0", "messages": messages}
    if not stream:
        return str(client.converse(**given)["output"]["message"]["content"][0]["text"])
    events = client.converse_stream(**given)["stream"]
    return "".join(event.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for event in events)


def boto3_invoke_model(proxy: str, headers: Headers, *, stream: bool) -> str:
    client = _bedrock(proxy, headers)
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "messages": MESSAGES})
    given: Any = {"modelId": "us.anthropic.claude-haiku-4-5-20251001-v1:0", "body": body}
    if not stream:
        return str(json.loads(client.invoke_model(**given)["body"].read())["content"][0]["text"])
    events = [
        json.loads(event["chunk"]["bytes"]) for event in client.invoke_model_with_response_stream(**given)["body"]
    ]
    return "".join(event.get("delta", {}).get("text", "") for event in events)


def langchain_openai(proxy: str, headers: Headers, *, stream: bool) -> str:
    from langchain_openai import ChatOpenAI

    given: Any = {"base_url": f"{proxy}/oai/v1", "api_key": KEY, "default_headers": headers}
    model = ChatOpenAI(model="gpt-4o-mini", **given)
    return "".join(chunk.text for chunk in model.stream("Hello!")) if stream else str(model.invoke("Hello!").text)


def langchain_anthropic(proxy: str, headers: Headers, *, stream: bool) -> str:
    from langchain_anthropic import ChatAnthropic

    given: Any = {"base_url": f"{proxy}/anthropic", "api_key": KEY, "default_headers": headers}
    model = ChatAnthropic(model="claude-haiku-4-5", **given)
    return "".join(chunk.text for chunk in model.stream("Hello!")) if stream else str(model.invoke("Hello!").text)


def _litellm(model: str, *, stream: bool, **given: Any) -> str:
    import litellm

    response: Any = litellm.completion(model=model, messages=MESSAGES, stream=stream, num_retries=0, **given)
    if not stream:
        return str(response.choices[0].message.content)
    return "".join(chunk.choices[0].delta.content or "" for chunk in response)


def litellm_openai(proxy: str, headers: Headers, *, stream: bool) -> str:
    given: Any = {"api_base": f"{proxy}/oai/v1", "api_key": KEY, "extra_headers": headers}
    return _litellm("openai/gpt-4o-mini", stream=stream, **given)


def litellm_anthropic(proxy: str, headers: Headers, *, stream: bool) -> str:
    given: Any = {"api_base": f"{proxy}/anthropic", "api_key": KEY, "extra_headers": headers}
    return _litellm("anthropic/claude-haiku-4-5", stream=stream, **given)


def litellm_bedrock(proxy: str, headers: Headers, *, stream: bool) -> str:
    given: Any = {"api_base": f"{proxy}/bedrock/v1/{REGION}", "extra_headers": headers | _signing()}
    return _litellm("bedrock/us.amazon.nova-pro-v1:0", stream=stream, aws_region_name=REGION, **given)


CALLS: Final[tuple[Callable[..., str], ...]] = (
    *(openai_chat, openai_responses, anthropic, google_genai, mistralai, groq, cohere),
    *(boto3_converse, boto3_invoke_model, langchain_openai, langchain_anthropic),
    *(litellm_openai, litellm_anthropic, litellm_bedrock),
)


def main(proxy: str, key: str) -> None:
    for call in CALLS:
        for stream in (False, True):
            request_id = str(uuid.uuid4())
            headers = {"Helicone-Auth": f"Bearer {key}", "Helicone-Request-Id": request_id}
            headers["Helicone-Property-Sdk"] = call.__name__
            called = {"sdk": call.__name__, "stream": stream, "request_id": request_id, "text": "", "error": ""}
            try:
                called["text"] = call(proxy, headers, stream=stream)
            except Exception:
                called["error"] = traceback.format_exc()[-2000:]
            print(json.dumps(called), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
