"""Providers of which a price list is known and little else, and the name for calls logged without a provider."""

from typing import Final

from services.domain.providers.price_list import PriceList
from services.domain.providers.record import Provider, api_paths

CUSTOM: Final = Provider(name="CUSTOM", title="a provider that is not named", label="custom", paths_are_known=False)

OTHERS: Final = (
    Provider(name="AVIAN", title="Avian", prices=PriceList(seller="avian")),
    Provider(name="BASETEN", title="Baseten", prices=PriceList(seller="baseten")),
    Provider(name="CEREBRAS", title="Cerebras", prices=PriceList(seller="cerebras")),
    Provider(name="CLOUDFLARE", title="Cloudflare", prices=PriceList(seller="cloudflare")),
    Provider(
        name="COHERE", title="Cohere", shared_unbilled_paths=api_paths("tokenize"), prices=PriceList(seller="cohere")
    ),
    Provider(name="FIREWORKS", title="Fireworks", aliases=("FIREWORKS_AI",), prices=PriceList(seller="fireworks")),
    Provider(name="MISTRAL", title="Mistral", prices=PriceList(seller="mistral")),
    Provider(name="NOVITA", title="Novita", prices=PriceList(seller="novita")),
    Provider(name="TOGETHER", title="Together", aliases=("TOGETHER_AI",), prices=PriceList(seller="together")),
    Provider(name="LLAMA", title="Meta", prices=PriceList(seller="meta")),
    Provider(name="MOONSHOT", title="Moonshot", aliases=("MOONSHOTAI",), prices=PriceList(seller="moonshotai")),
    Provider(
        name="VOYAGE",
        title="Voyage",
        aliases=("VOYAGEAI",),
        prices=PriceList(seller="voyageai", is_sole_seller=True),
    ),
    Provider(name="MINIMAX", title="MiniMax", prices=PriceList(seller="minimax")),
    Provider(name="ZAI", title="Z.ai", prices=PriceList(seller="zai")),
    # Runs anywhere, so it has no price list; its paths need no version.
    Provider(name="VLLM", title="vLLM", shared_unbilled_paths="//[^/]+/tokenize$"),
)
