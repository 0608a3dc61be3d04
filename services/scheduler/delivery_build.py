"""How deliveries are wired: settings -> queue, senders and the loop."""

import random
from contextlib import AsyncExitStack

from services.domain.routing.address import is_reachable
from services.ports.clock import Clock
from services.process import closed_by
from services.scheduler.delivery import Deliveries
from services.settings.processes import DeliverySettings
from services.stores.factory import open_delivery_queue
from services.stores.notifiers.notifier import ChannelNotifier, NotifierOptions
from services.telemetry.metrics import Metrics


def open_deliveries(
    stack: AsyncExitStack, settings: DeliverySettings, *, clock: Clock, metrics: Metrics, public_url: str = ""
) -> Deliveries:
    """What is open closes with `stack`. `public_url` is where people reach the dashboard, when no setting says so.

    Raises: InvalidSetting.
    """
    options = NotifierOptions(
        smtp_url=settings.smtp_url,
        mail_from=settings.mail_from,
        slack_url=settings.slack_url,
        slack_token=settings.slack_token,
        pagerduty_url=settings.pagerduty_url,
        egress_proxy=settings.egress_proxy,
        no_proxy=settings.no_proxy,
        ca_file=settings.ca_file,
    )
    return Deliveries(
        closed_by(stack, open_delivery_queue(settings.state, encryption_key=settings.encryption_key)),
        closed_by(stack, ChannelNotifier(options, is_reachable=is_reachable)),
        clock=clock,
        metrics=metrics,
        draw=random.random,
        public_url=settings.query_url or public_url,
    )
