"""The Notifier port: each kind of channel by its sender."""

from typing import Final

import msgspec

from schemas.channel import Channel, ChannelKind, ChannelSecret, SendResult
from schemas.message import MailMessage, Message
from services.stores.notifiers.http_channels import HttpChannels
from services.stores.notifiers.mail import MailSender, mail_server
from services.stores.notifiers.posting import Poster
from services.stores.upstream.dial import Dialer, IsReachable, egress_proxy, trusting_context
from services.stores.upstream.pool import UpstreamPool

TIMEOUT_S: Final = 20.0  # for one message
_CONNECT_TIMEOUT_S: Final = 5.0
_MAX_CONNECTIONS: Final = 10  # to one server


class NotifierOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sets."""

    smtp_url: str
    mail_from: str
    slack_url: str
    slack_token: str
    pagerduty_url: str
    egress_proxy: str
    no_proxy: str
    ca_file: str

    def __repr__(self) -> str:
        return "NotifierOptions(...)"


class ChannelNotifier:
    """Sends through any channel."""

    def __init__(self, options: NotifierOptions, *, is_reachable: IsReachable) -> None:
        """`is_reachable` decides which addresses of servers may be connected to. Raises: InvalidSetting."""
        tls = trusting_context(options.ca_file)
        dialer = Dialer(tls=tls, is_reachable=is_reachable, egress=egress_proxy(options.egress_proxy, options.no_proxy))
        pool = UpstreamPool(max_connections=_MAX_CONNECTIONS, connect_timeout_s=_CONNECT_TIMEOUT_S, dialer=dialer)
        self._http = HttpChannels(
            Poster(pool, timeout_s=TIMEOUT_S),
            slack_url=options.slack_url,
            slack_token=options.slack_token,
            pagerduty_url=options.pagerduty_url,
        )
        self._mail = MailSender(
            mail_server(options.smtp_url),
            sender=options.mail_from,
            tls=trusting_context(options.ca_file, protocol=""),
            timeout_s=TIMEOUT_S,
        )

    async def send(self, channel: Channel, secret: ChannelSecret, message: Message) -> SendResult:
        if isinstance(message, MailMessage):
            return await self._mail.send(channel, message)
        senders = {
            ChannelKind.SLACK: self._http.send_slack,
            ChannelKind.TEAMS: self._http.send_teams,
            ChannelKind.PAGERDUTY: self._http.send_pagerduty,
            ChannelKind.WEBHOOK: self._http.send_webhook,
        }
        return await senders[channel.kind](channel, secret, message)

    async def close(self) -> None:
        await self._http.close()
