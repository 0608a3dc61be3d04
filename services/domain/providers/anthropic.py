"""Anthropic.

Sources: https://docs.anthropic.com/en/api, https://docs.anthropic.com/en/docs/about-claude/pricing ("long context
pricing", ended for the 4.6 models on 2026-03-13)
"""

from datetime import UTC, datetime
from typing import Final

from services.domain.providers.price_list import PriceList, costlier
from services.domain.providers.record import ID, REST, Provider, Quirk, api_paths

LONG_CONTEXT_ENDED: Final = datetime(2026, 3, 13, tzinfo=UTC)  # for the 4.6 models, whoever sells them

_MANAGEMENT_PATHS: Final = (
    rf"organizations/(?:api_keys|claude_code|claude_tag|compliance_settings|external_keys|federation_issuers"
    rf"|federation_rules|invites|plugin_marketplaces|plugins|rbac_groups|service_accounts"
    rf"|spend_limit_increase_requests|spend_limits|telemetry_destinations|users|webhooks|workspaces){REST}",
    rf"(?:agents|environments|memory_stores|skills|tunnels|user_profiles|vaults)(?:/{ID}(?:/archive)?)?",
    rf"deployments(?:/{ID}(?:/(?:archive|pause|unpause))?)?",
    rf"dreams/{ID}/(?:archive|cancel)",
    rf"environments/{ID}/work/{ID}(?:/(?:ack|heartbeat|stop))?",
    rf"memory_stores/{ID}/memories(?:/{ID})?",
    rf"memory_stores/{ID}/memory_versions/{ID}/redact",
    rf"sessions/{ID}(?:/archive)?",
    rf"sessions/{ID}/resources(?:/{ID})?",
    rf"sessions/{ID}/threads/{ID}/archive",
    rf"skills/{ID}/versions",
    rf"tunnels/{ID}/(?:certificates(?:/{ID}/archive)?|reveal_token|rotate_token)",
    rf"user_profiles/{ID}/(?:action_urls|enrollment_url)",
    rf"vaults/{ID}/credentials(?:/{ID}(?:/(?:archive|mcp_oauth_validate))?)?",
)

ANTHROPIC: Final = Provider(
    name="ANTHROPIC",
    title="Anthropic",
    label="anthropic",
    log_label="anthropic",
    base_url="https://api.anthropic.com",
    chat_path="/v1/chat/completions",
    hosts=r"api\.anthropic\.com",
    credential_headers=("x-api-key", "Authorization"),
    organization_headers=("anthropic-organization-id",),
    project_headers=("anthropic-workspace-id",),
    request_id_headers=("request-id", "x-request-id"),
    quirks=frozenset({Quirk.CACHE_BESIDE_INPUT, Quirk.ALL_FEES_REPORTED}),
    unbilled_paths=api_paths(*_MANAGEMENT_PATHS),
    shared_unbilled_paths=api_paths("messages/count_tokens"),
    shared_repeat_paths=api_paths(f"messages/batches/{ID}/cancel"),
    models_without_surcharge=r"claude-(?:3|instant|2|(?:opus|sonnet)-4(?:$|@|-1|-2025|-0))",
    prices=PriceList(seller="anthropic", is_sole_seller=True, gaps=(costlier("claude-sonnet-4-0", 200_000),)),
)
