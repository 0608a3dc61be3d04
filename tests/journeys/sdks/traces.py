"""One plain and one streamed call by OpenAI's SDK, straight to the provider, that `helicone-async` logs afterwards.

traces.py PROXY_URL FAREBOX_KEY PROVIDER_URL: a line of JSON for each call, as `calls.py` prints them.
"""

import json
import os
import sys
import traceback
import uuid
from typing import Any, Final

os.environ["TRACELOOP_TELEMETRY"] = "false"  # of the package's own makers

from helicone_async import HeliconeAsyncLogger

NAME: Final = "helicone_async"


def main(proxy: str, key: str, provider: str) -> None:
    logger = HeliconeAsyncLogger(api_key=key, base_url=f"{proxy}/v1/trace/log-python")
    logger.init()
    from openai import OpenAI
    from opentelemetry import trace
    from opentelemetry.sdk.trace import SpanProcessor

    class Ids(SpanProcessor):
        """Of the spans that were sent: the rows' ids come from them."""

        last = ""

        def on_end(self, span: Any) -> None:
            context = span.get_span_context()
            self.last = str(uuid.uuid5(uuid.UUID(int=context.trace_id), f"{context.span_id:016x}"))

    ids = Ids()
    spans: Any = trace.get_tracer_provider()
    spans.add_span_processor(ids)
    logger.set_properties({"Helicone-Property-Sdk": NAME})
    client = OpenAI(base_url=f"{provider}/openai/v1", api_key="sk-provider-key")
    for stream in (False, True):
        called = {"sdk": NAME, "stream": stream, "request_id": "", "text": "", "error": ""}
        try:
            called["text"] = _text(client, stream=stream)
        except Exception:
            called["error"] = traceback.format_exc()[-2000:]
        called["request_id"] = ids.last
        print(json.dumps(called), flush=True)


def _text(client: Any, *, stream: bool) -> str:
    given: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}
    if not stream:
        return str(client.chat.completions.create(**given).choices[0].message.content)
    chunks = client.chat.completions.create(**given, stream=True, stream_options={"include_usage": True})
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


if __name__ == "__main__":
    main(*sys.argv[1:])
