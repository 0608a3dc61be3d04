"""Which paths only manage: POST requests that define, name, permit, pause or file something, and that nobody bills.

What such a definition is used for later (a run, a session, an event sent to an agent) is billed then, and not here.
By provider, since the same name may mean another thing elsewhere. Containers and environments of OpenAI, images and
videos are not among them: they may be billed by themselves. `tests/unit/test_management.py` compares the lists with all
routes of the providers' own SDKs, so that a release of theirs shows what is new.

Sources: https://platform.openai.com/docs/api-reference, https://docs.anthropic.com/en/api
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

_VERSION: Final = r"/(?:v\d[a-z0-9]*|openai)/"
_ONE: Final = "[^/]+"  # an id
_ANY: Final = "(?:/[^/]+)*"  # whatever follows

# Patterns of what follows the version, each up to the end of the path.
_OPENAI: Final = (
    rf"organization/(?:admin_api_keys|certificates|data_retention|external_keys|external_storage|groups|invites"
    rf"|projects|roles|spend_alerts|spend_limit|users|workload_identity_providers){_ANY}",
    rf"projects/{_ONE}/(?:groups|roles|users){_ANY}",
    rf"(?:assistants|conversations|evals|threads)(?:/{_ONE})?",
    rf"conversations/{_ONE}/items",
    rf"threads/{_ONE}/messages(?:/{_ONE})?",
    rf"evals/{_ONE}/runs/{_ONE}(?:/cancel)?",
    rf"agents(?!/sessions|/environments|/automations)(?:/{_ONE})?",
    rf"agents/automations(?:/{_ONE}(?:/(?:pause|resume))?)?",
    rf"agents/environments/templates(?:/{_ONE})?",
    rf"agents/sessions/{_ONE}",
    rf"skills(?:/{_ONE}(?:/versions)?)?",
    rf"vaults{_ANY}",
    rf"webhook_endpoints(?:/{_ONE}(?:/(?:rotate_secret|test))?)?",
    rf"audio/voice_consents(?:/{_ONE})?",
    rf"chatkit/sessions(?:/{_ONE}/cancel)?",
    r"realtime/(?:client_secrets|sessions|transcription_sessions|translations/client_secrets)",
    rf"(?:realtime/calls|live/sessions)/{_ONE}/(?:hangup|refer|reject)",
    rf"fine_tuning/checkpoints/{_ONE}/permissions",
    rf"fine_tuning/jobs/{_ONE}/pause",
    r"fine_tuning/alpha/graders/validate",
    rf"vector_stores(?:/{_ONE}(?:/(?:files|file_batches)(?:/{_ONE}(?:/cancel)?)?|/search)?)?",
)
_ANTHROPIC: Final = (
    rf"organizations/(?:api_keys|claude_code|claude_tag|compliance_settings|external_keys|federation_issuers"
    rf"|federation_rules|invites|plugin_marketplaces|plugins|rbac_groups|service_accounts"
    rf"|spend_limit_increase_requests|spend_limits|telemetry_destinations|users|webhooks|workspaces){_ANY}",
    rf"(?:agents|environments|memory_stores|skills|tunnels|user_profiles|vaults)(?:/{_ONE}(?:/archive)?)?",
    rf"deployments(?:/{_ONE}(?:/(?:archive|pause|unpause))?)?",
    rf"dreams/{_ONE}/(?:archive|cancel)",
    rf"environments/{_ONE}/work/{_ONE}(?:/(?:ack|heartbeat|stop))?",
    rf"memory_stores/{_ONE}/memories(?:/{_ONE})?",
    rf"memory_stores/{_ONE}/memory_versions/{_ONE}/redact",
    rf"sessions/{_ONE}(?:/archive)?",
    rf"sessions/{_ONE}/resources(?:/{_ONE})?",
    rf"sessions/{_ONE}/threads/{_ONE}/archive",
    rf"skills/{_ONE}/versions",
    rf"tunnels/{_ONE}/(?:certificates(?:/{_ONE}/archive)?|reveal_token|rotate_token)",
    rf"user_profiles/{_ONE}/(?:action_urls|enrollment_url)",
    rf"vaults/{_ONE}/credentials(?:/{_ONE}(?:/(?:archive|mcp_oauth_validate))?)?",
)
# Under `threads` alone the next word may be no id: a run begins there.
_GENERATES: Final = re.compile(rf"{_VERSION}threads/runs/?$")


def _compiled(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"{_VERSION}(?:{'|'.join(patterns)})/?$")


_MANAGES: Final[Mapping[str, re.Pattern[str]]] = {
    "OPENAI": _compiled(_OPENAI),
    "AZURE": _compiled(_OPENAI),
    "ANTHROPIC": _compiled(_ANTHROPIC),
}


@lru_cache(maxsize=1024)
def only_manages(provider: str, target_url: str) -> bool:
    """Whether `provider` bills nobody for a POST to `target_url`, whatever it answers but for usage."""
    manages = _MANAGES.get(provider)
    return manages is not None and manages.search(target_url) is not None and _GENERATES.search(target_url) is None
