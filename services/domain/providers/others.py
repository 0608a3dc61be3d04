"""Providers of which a price list is known and little else, and the name for calls logged without a provider.

Of those without a price list the cost is unknown until an operator adds a price.
Sources: https://docs.helicone.ai/gateway/overview (labels and servers); of streams each provider's own reference of
`stream_options`
"""

from typing import Final

from services.domain.providers.price_list import PriceList
from services.domain.providers.record import Provider, api_paths

CUSTOM: Final = Provider(name="CUSTOM", title="a provider that is not named", log_label="custom", paths_are_known=False)

_COMPLETIONS: Final = ("/completions",)

_ROUTED: Final = (
    Provider(
        name="CEREBRAS",
        title="Cerebras",
        label="cerebras",
        base_url="https://api.cerebras.ai",
        chat_path="/v1/chat/completions",
        hosts=r"api\.cerebras\.ai",
        prices=PriceList(seller="cerebras"),
    ),
    Provider(
        name="COHERE",
        title="Cohere",
        label="cohere",
        base_url="https://api.cohere.com",
        chat_path="/compatibility/v1/chat/completions",
        hosts=r"api\.cohere\.(?:ai|com)",
        operations=(("embeddings", api_paths("embed")), ("rerank", api_paths("rerank"))),
        shared_unbilled_paths=api_paths("tokenize"),
        prices=PriceList(seller="cohere"),
    ),
    Provider(
        name="DEEPINFRA",
        title="DeepInfra",
        label="deepinfra",
        base_url="https://api.deepinfra.com",
        chat_path="/v1/openai/chat/completions",
        hosts=r"api\.deepinfra\.com",
        stream_usage_paths=_COMPLETIONS,
    ),
    Provider(
        name="FIRECRAWL",
        title="Firecrawl",
        label="firecrawl",
        base_url="https://api.firecrawl.dev",
        hosts=r"api\.firecrawl\.dev",
    ),
    Provider(
        name="FIREWORKS",
        title="Fireworks",
        aliases=("FIREWORKS_AI",),
        label="fireworks",
        base_url="https://api.fireworks.ai",
        chat_path="/inference/v1/chat/completions",
        hosts=r"api\.fireworks\.ai",
        prices=PriceList(seller="fireworks"),
    ),
    Provider(
        name="HYPERBOLIC",
        title="Hyperbolic",
        label="hyperbolic",
        base_url="https://api.hyperbolic.xyz",
        chat_path="/v1/chat/completions",
        hosts=r"api\.hyperbolic\.xyz",
        stream_usage_paths=_COMPLETIONS,
    ),
    Provider(
        name="LLAMA",
        title="Meta",
        aliases=("META", "META_LLAMA"),
        label="llama",
        base_url="https://api.llama.com",
        chat_path="/compat/v1/chat/completions",
        hosts=r"api\.(?:llama\.com|meta\.ai)",
        prices=PriceList(seller="meta"),
    ),
    Provider(
        name="NEBIUS",
        title="Nebius",
        label="nebius",
        base_url="https://api.tokenfactory.nebius.com",
        chat_path="/v1/chat/completions",
        hosts=r"api\.(?:tokenfactory\.nebius\.com|studio\.nebius\.(?:ai|com))",
        stream_usage_paths=_COMPLETIONS,
    ),
    Provider(
        name="NOVITA",
        title="Novita",
        label="novita",
        paths_like_routes=("anthropic",),
        base_url="https://api.novita.ai",
        chat_path="/openai/v1/chat/completions",
        hosts=r"api\.novita\.ai",
        stream_usage_paths=_COMPLETIONS,
        prices=PriceList(seller="novita"),
    ),
    Provider(
        name="NVIDIA",
        title="NVIDIA",
        aliases=("NVIDIA_NIM",),
        label="nvidia",
        base_url="https://integrate.api.nvidia.com",
        chat_path="/v1/chat/completions",
        hosts=r"integrate\.api\.nvidia\.com",
        stream_usage_paths=_COMPLETIONS,
    ),
    Provider(
        name="PREDIBASE",
        title="Predibase",
        label="predibase",
        base_url="https://serving.app.predibase.com",
        hosts=r"serving\.app\.predibase\.com",
        stream_usage_paths=_COMPLETIONS,
    ),
    Provider(
        name="QSTASH",
        title="QStash",
        aliases=("UPSTASH",),
        label="qstash",
        base_url="https://qstash.upstash.io",
        hosts=r"qstash(?:-[a-z0-9-]+)?\.upstash\.io",
    ),
    Provider(
        name="TOGETHER",
        title="Together",
        aliases=("TOGETHER_AI",),
        label="together",
        base_url="https://api.together.xyz",
        chat_path="/v1/chat/completions",
        hosts=r"api\.together\.(?:xyz|ai)",
        prices=PriceList(seller="together"),
    ),
    Provider(
        name="VERCEL",
        title="Vercel",
        aliases=("VERCEL_AI_GATEWAY",),
        label="vercel",
        base_url="https://ai-gateway.vercel.sh",
        chat_path="/v1/chat/completions",
        hosts=r"ai-gateway\.vercel\.sh",
        stream_usage_paths=_COMPLETIONS,
    ),
)

OTHERS: Final = (
    *_ROUTED,
    Provider(name="AVIAN", title="Avian", hosts=r"api\.avian\.io", prices=PriceList(seller="avian")),
    Provider(name="BASETEN", title="Baseten", hosts=r"inference\.baseten\.co", prices=PriceList(seller="baseten")),
    Provider(name="CLOUDFLARE", title="Cloudflare", aliases=("WORKERS_AI",), prices=PriceList(seller="cloudflare")),
    Provider(
        name="MOONSHOT",
        title="Moonshot",
        aliases=("MOONSHOTAI",),
        hosts=r"api\.moonshot\.(?:ai|cn)",
        prices=PriceList(seller="moonshotai"),
    ),
    Provider(
        name="VOYAGE",
        title="Voyage",
        aliases=("VOYAGEAI",),
        hosts=r"api\.voyageai\.com",
        prices=PriceList(seller="voyageai", is_sole_seller=True),
    ),
    Provider(name="MINIMAX", title="MiniMax", hosts=r"api\.minimaxi?\.(?:com|io)", prices=PriceList(seller="minimax")),
    Provider(name="ZAI", title="Z.ai", aliases=("Z_AI",), hosts=r"api\.z\.ai", prices=PriceList(seller="zai")),
    # Known by their servers only.
    Provider(name="ANYSCALE", title="Anyscale", hosts=r"api\.endpoints\.anyscale\.com"),
    Provider(name="CANOPYWAVE", title="CanopyWave", hosts=r"inference\.canopywave\.io"),
    Provider(name="CHUTES", title="Chutes", hosts=r"llm\.chutes\.ai"),
    Provider(name="LEMONFOX", title="Lemonfox", hosts=r"api\.lemonfox\.ai"),
    Provider(name="OPENPIPE", title="OpenPipe", hosts=r"(?:api|app)\.openpipe\.ai"),
    # Runs anywhere, so it has no price list; its paths need no version.
    Provider(name="VLLM", title="vLLM", chat_path="/v1/chat/completions", shared_unbilled_paths="//[^/]+/tokenize$"),
)
