"""Ways out of the server, one file each: how a message is carried to a target, and how each notifier's settings become one."""

from collections.abc import Callable, Mapping
from typing import Any

from rota.outgoing import Outgoing
from rota.senders import anything, discord, hook, slack, smtp, telegram
from rota.senders.apprise import AppriseSender
from rota.senders.base import Endpoint, Parcel, Sender
from rota.senders.device_hook import DeviceHook
from rota.senders.device_log import DeviceLog
from rota.senders.expo import ExpoSender
from rota.senders.webhook import WebhookSender
from rota.senders.webpush import WebPushSender

__all__ = ["ENDPOINTS", "AppriseSender", "Endpoint", "Parcel", "Sender", "WebhookSender", "build_senders"]

# What `type` of a [[notifier]] makes of its other keys, and of the recipient that a route may name.
ENDPOINTS: dict[str, Callable[[Mapping[str, Any], str | None], Endpoint]] = {
    "slack": slack.endpoint,
    "discord": discord.endpoint,
    "telegram": telegram.endpoint,
    "smtp": smtp.endpoint,
    "webhook": hook.endpoint,
    "apprise": anything.endpoint,
}


def build_senders(outgoing: Outgoing) -> dict[str, Sender]:
    """By the `way` of an endpoint."""
    return {
        "webhook": WebhookSender(outgoing),
        "apprise": AppriseSender(),
        "device_log": DeviceLog(),
        "device_hook": DeviceHook(outgoing),
        "expo": ExpoSender(outgoing),
        "webpush": WebPushSender(outgoing),
    }
