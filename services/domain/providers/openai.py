"""OpenAI, and the API that most others copy.

Sources: https://platform.openai.com/docs/api-reference, https://platform.openai.com/docs/pricing,
https://platform.openai.com/docs/guides/your-data (regional endpoints),
https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from typing import Final

from services.domain.providers.price_list import PriceList
from services.domain.providers.realtime import Meaning, RealtimeApi
from services.domain.providers.record import ID, REST, Provider, Quirk, api_paths

# POST requests that define, name, permit, pause or file something. What such a definition is used for later (a run, a
# session, an event sent to an agent) is billed then. Containers and environments, images and videos are not among them:
# they may be billed by themselves.
MANAGEMENT_PATHS: Final = (
    rf"organization/(?:admin_api_keys|certificates|data_retention|external_keys|external_storage|groups|invites"
    rf"|projects|roles|spend_alerts|spend_limit|users|workload_identity_providers){REST}",
    rf"projects/{ID}/(?:groups|roles|users){REST}",
    rf"(?:assistants|conversations|evals)(?:/{ID})?",
    rf"threads(?!/runs/?$)(?:/{ID})?",  # below this name a run begins
    rf"conversations/{ID}/items",
    rf"threads/{ID}/messages(?:/{ID})?",
    rf"evals/{ID}/runs/{ID}(?:/cancel)?",
    rf"agents(?!/sessions|/environments|/automations)(?:/{ID})?",
    rf"agents/automations(?:/{ID}(?:/(?:pause|resume))?)?",
    rf"agents/environments/templates(?:/{ID})?",
    rf"agents/sessions/{ID}",
    rf"skills(?:/{ID}(?:/versions)?)?",
    rf"vaults{REST}",
    rf"webhook_endpoints(?:/{ID}(?:/(?:rotate_secret|test))?)?",
    rf"audio/voice_consents(?:/{ID})?",
    rf"chatkit/sessions(?:/{ID}/cancel)?",
    r"realtime/(?:client_secrets|sessions|transcription_sessions|translations/client_secrets)",
    rf"(?:realtime/calls|live/sessions)/{ID}/(?:hangup|refer|reject)",
    rf"fine_tuning/checkpoints/{ID}/permissions",
    rf"fine_tuning/jobs/{ID}/pause",
    r"fine_tuning/alpha/graders/validate",
    rf"vector_stores(?:/{ID}(?:/(?:files|file_batches)(?:/{ID}(?:/cancel)?)?|/search)?)?",
)

# Models without a cached input price have no discount; image models have one output price, for images.
BILLED_AS: Final = {"prompt_cache_read_tokens": "prompt_tokens", "completion_image_tokens": "completion_tokens"}

_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"

REALTIME: Final = RealtimeApi(
    paths=api_paths("realtime"),
    model_parameters=("model", "deployment"),  # the latter is Azure's
    meanings={
        "session.created": Meaning.SESSION,
        "session.updated": Meaning.SESSION,
        "transcription_session.created": Meaning.SESSION,
        "transcription_session.updated": Meaning.SESSION,
        "response.created": Meaning.BEGAN,
        "response.done": Meaning.DONE,
        f"{_TRANSCRIPTION}.completed": Meaning.TRANSCRIBED,
        f"{_TRANSCRIPTION}.failed": Meaning.FAILED,
        "error": Meaning.ERROR,
    },
    delta_suffix=".delta",
    audio_events=frozenset({"input_audio_buffer.append"}),
    credential_subprotocols=("openai-insecure-api-key.",),
    error_statuses={
        "invalid_request_error": 400,
        "authentication_error": 401,
        "insufficient_quota": 429,
        "rate_limit_error": 429,
        "rate_limit_exceeded": 429,
        "tokens": 429,
        "requests": 429,
    },
)

OPENAI: Final = Provider(
    name="OPENAI",
    title="OpenAI",
    aliases=("TEXT_COMPLETION_OPENAI",),
    label="oai",
    log_label="oai",
    base_url="https://api.openai.com",
    hosts=r"(?:[a-z]{2}\.)?api\.openai\.com",
    sdk_path="/v1",
    chat_path="/v1/chat/completions",
    credential_headers=("Authorization",),
    organization_headers=("OpenAI-Organization",),
    project_headers=("OpenAI-Project",),
    stream_usage_paths=("/completions",),  # of chats, and of the older kind without
    quirks=frozenset({Quirk.TIER_IN_EVERY_RESPONSE, Quirk.ALL_FEES_REPORTED}),
    unbilled_paths=api_paths(*MANAGEMENT_PATHS, "moderations"),  # moderations are free here, and billed by others
    operations=(
        ("text_completion", api_paths(rf"(?:deployments/{ID}/)?completions")),
        ("embeddings", api_paths(rf"(?:deployments/{ID}/)?embeddings")),
        ("image_generation", api_paths(rf"(?:deployments/{ID}/)?images/[a-z]+")),
        ("speech", api_paths(rf"(?:deployments/{ID}/)?audio/speech")),
        ("transcription", api_paths(rf"(?:deployments/{ID}/)?audio/trans[a-z]+")),
    ),
    shared_unbilled_paths=api_paths(
        "files",
        "uploads(?:/[^/]+/(?:parts|complete))?",
        r"vector_stores(?:/vs_[^/]+(?:/[a-z_]+(?:/[^/]+)*)?)?",
        "responses/input_tokens",
    ),
    shared_repeat_paths=api_paths(
        rf"(?:responses|batches|fine_tuning/jobs|uploads|threads/{ID}/runs)/{ID}/cancel",
        "chat/completions/chat[^/]+",
        rf"threads/{ID}/runs/run_[^/]+",
    ),
    regional_urls=r"https://[a-z]{2}\.api\.openai\.com/",
    models_without_surcharge=(
        r"gpt-(?:3|4|oss|5(?:$|[^.]|\.[0-3]))|o[134]|text-|tts|whisper|omni|davinci|babbage|dall|chatgpt"
    ),
    models_by_character=r"tts-1(?:-hd)?(?:-\d+)?",
    prices=PriceList(seller="openai", billed_as=BILLED_AS, is_sole_seller=True, not_sold="gpt-oss"),
    realtime=REALTIME,
)
