"""Bodies and responses of the HTTP API about named upstreams."""

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from schemas.api.requests import Body, View
from schemas.upstream import CredentialPolicy

_KEY_IDS = "Ids of API keys whose requests on the provider's route go to this upstream"
_PROVIDER_KEY = (
    "The provider's key, kept encrypted and never shown: exactly where `credentials` are `stored`. For Amazon Bedrock "
    "also ID:SECRET or ID:SECRET:TOKEN, which requests are signed with"
)
_SECRET: JsonDict = {"writeOnly": True, "format": "password"}


class UpstreamRequest(Body):
    model_config = ConfigDict(alias_generator=None)

    name: str = Field(
        max_length=64, description="In any case; paths and headers name it by this", examples=["azure-europe"]
    )
    provider: str = Field(
        max_length=64, description="Whose prices and rules hold, by any of its names", examples=["AZURE"]
    )
    url: str = Field(
        max_length=2048,
        description="https, the host, and a path if the API is below one; {region} stands for the region",
        examples=["https://team.openai.azure.com"],
    )
    region: str = Field("", max_length=40, description="What {region} in the URL stands for")
    credentials: CredentialPolicy = Field(
        CredentialPolicy.FORWARD,
        description="`forward`: the provider's keys that clients send reach it; `strip`: none does; `stored`: "
        "`provider_key` does, and none of the clients'",
    )
    provider_key: str = Field("", max_length=8192, repr=False, json_schema_extra=_SECRET, description=_PROVIDER_KEY)
    key_ids: list[str] = Field(default_factory=list, max_length=100, description=_KEY_IDS)


class UpstreamView(View):
    model_config = ConfigDict(alias_generator=None)

    name: str
    provider: str
    url: str
    region: str
    credentials: CredentialPolicy
    private: bool = Field(description="Whether it may have a private address; set by the command only")
    key_ids: list[str] = Field(description=_KEY_IDS)


class ProviderKeyRequest(Body):
    model_config = ConfigDict(alias_generator=None)

    provider_key: str = Field(
        min_length=1, max_length=8192, repr=False, json_schema_extra=_SECRET, description=_PROVIDER_KEY
    )
