"""Amazon Bedrock.

Sources: https://aws.amazon.com/bedrock/pricing,
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html (profiles are billed by the region
that was called), https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html,
https://platform.claude.com/docs/en/about-claude/pricing (regional endpoints 10 % above global ones since Sonnet 4.5)
"""

from typing import Final

from services.domain.providers.anthropic import LONG_CONTEXT_ENDED
from services.domain.providers.price_list import PriceList, Regions, costlier
from services.domain.providers.record import Provider, Quirk, RequestSigning

# Amazon's own models, Meta's and Mistral's cost more in most other regions, and the package has the price of the US.
# Of models with a global and a regional price it has both, and finds the one of a name; GovCloud has prices of its own.
_REGIONS: Final = Regions(
    # Also behind the id of a private endpoint, vpce-0a1b2c.bedrock-runtime.eu-west-1.vpce.amazonaws.com.
    named_in_urls=(
        r"//(?:vpce-[a-z0-9-]+\.)?bedrock(?:-[a-z-]+)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:vpce\.)?(?:amazonaws\.com|api\.aws)"
    ),
    named_in_models=(
        r"(?:^arn:aws[a-z-]*:bedrock:|(?:^|/)(?=[a-z-]+-\d/))([a-z]{2}(?:-[a-z]+)+-\d)"
        r"|(?:^|/)(us-gov|global|apac|us|eu|jp|au|ca|sa|in|me|af)\."
    ),
    listed=r"us|us-east-[12]|us-west-2",
    alike=r"anthropic\.|writer\.palmyra|openai\.gpt-(?:5\.6|6)|moonshotai\.kimi-k3|zai\.glm-5|amazon\.nova-2-lite",
    apart=r"us-gov.*|cn-.*",
)

# The group is the region.
_HOSTS: Final = r"(?:vpce-[a-z0-9-]+\.)?bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?"

AWS: Final = Provider(
    name="AWS",
    title="Amazon Bedrock",
    aliases=("BEDROCK", "AWS_BEDROCK", "AMAZON_BEDROCK", "ANTHROPIC_BEDROCK"),
    otel_name="aws.bedrock",
    label="bedrock",
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    hosts=_HOSTS,
    region_in_path=r"/v1/([a-z]{2}(?:-[a-z]+)+-\d)(?=/)",
    signing=RequestSigning(
        service="bedrock",
        region_in_host=_HOSTS,
        key_header="aws-access-key",
        secret_header="aws-secret-key",  # noqa: S106  # its name
        token_header="aws-session-token",  # noqa: S106
    ),
    signed_credentials=r"AWS4-[A-Z0-9-]+ .*?Credential=([^/, ]+)",
    request_id_headers=("x-amzn-requestid", "x-amz-request-id"),
    quirks=frozenset({Quirk.CACHE_BESIDE_INPUT}),
    shared_unbilled_paths="/model/[^/]+/count-tokens$",
    prices=PriceList(
        seller="aws",
        regions=_REGIONS,
        gaps=(
            costlier(r"(global|regional)\.anthropic\.claude-sonnet-4-(20250514|5-20250929)-v1:0", 200_000),
            costlier(r"(global|regional)\.anthropic\.claude-(sonnet|opus)-4-6-v1:0", 200_000, LONG_CONTEXT_ENDED),
        ),
    ),
)
