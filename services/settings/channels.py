"""Settings of what goes out to people and receivers, as fields of the classes in `processes.py`."""

from typing import Any, Final

from pydantic import Field

_WEB: Final = r"^https?://[^\s/?#]+[^\s?#]*$"

SMTP_URL: Final[Any] = Field(
    "",
    description="Server that takes mail, as smtp://USER:PASSWORD@HOST:587, which begins TLS by STARTTLS, "
    "smtps://USER:PASSWORD@HOST:465, or smtp+plain://HOST:25 without TLS. When empty, no mail is sent",
)
MAIL_FROM: Final[Any] = Field("farebox@localhost", description="Sender of mail, as ADDRESS or NAME <ADDRESS>")
SLACK_TOKEN: Final[Any] = Field(
    "", description="Token of the Slack bot that posts to channels of Slack that have no token of their own"
)
SLACK_URL: Final[Any] = Field(
    "https://slack.com/api", pattern=_WEB, description="Base URL of Slack's API, or of a relay"
)
PAGERDUTY_URL: Final[Any] = Field(
    "https://events.pagerduty.com",
    pattern=_WEB,
    description="Base URL of PagerDuty's Events API; https://events.eu.pagerduty.com in Europe",
)
HEARTBEAT_URL: Final[Any] = Field(
    "",
    pattern=r"^$|^https?://[^/\s]\S*$",
    description="Requested (GET) each minute in which all alerts were evaluated, so that a receiver outside, such as a "
    "dead man's switch, notices when that ends. When empty, nothing is",
)
