"""Tells devices by a webhook, a post for each; 410 says that the device is not registered any more."""

from datetime import datetime
from http import HTTPStatus

from msgspec.structs import replace

from rota.core.delivery import Sent
from rota.outgoing import Outgoing
from rota.senders.base import Endpoint, Parcel
from rota.senders.webhook import WebhookSender


class DeviceHook:
    def __init__(self, outgoing: Outgoing) -> None:
        self._webhook = WebhookSender(outgoing)

    async def send(self, endpoint: Endpoint, parcel: Parcel, now: datetime) -> Sent:
        sent = await self._webhook.send(endpoint, parcel, now)
        return replace(sent, is_gone=True, is_final=True) if sent.code == HTTPStatus.GONE else sent

    async def close(self) -> None:
        await self._webhook.close()
