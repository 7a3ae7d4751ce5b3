"""Tells devices by Expo's push service, or one that speaks as it does."""

from datetime import datetime
from typing import Any

import msgspec

from rota.core.delivery import Sent, judge_answer
from rota.outgoing import Failed, Outgoing, Refused, retry_after_s
from rota.senders.base import TIMEOUT_S, Endpoint, Parcel, redact

# What a ticket says of a device that is to be told no more, and of what may pass by itself.
GONE = "DeviceNotRegistered"
PASSING = ("MessageRateExceeded", "ProviderError")


class ExpoSender:
    """One message a request; its ticket comes with the answer."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def send(self, endpoint: Endpoint, parcel: Parcel, now: datetime) -> Sent:
        notice = msgspec.json.decode(parcel.body)
        token: str = notice["device"]["token"]
        message = {"to": token, **{name: notice[name] for name in ("title", "body", "data")}, "sound": "default"}
        headers = {"content-type": "application/json", "accept": "application/json", **endpoint.headers}
        try:
            answer = await self._outgoing.request(
                "POST", endpoint.url, headers, msgspec.json.encode(message), trusted=endpoint.trusted, timeout_s=TIMEOUT_S
            )
        except Refused as refusal:
            return Sent(error=redact(str(refusal), endpoint), is_final=True)
        except Failed as failure:
            return Sent(error=redact(str(failure), endpoint))
        sent = judge_answer(answer.status, retry_after_s(answer.headers, now))
        return _judge_ticket(sent, answer.body, token) if sent.error is None else sent

    async def close(self) -> None:
        await self._outgoing.close()


def _judge_ticket(sent: Sent, body: bytes, token: str) -> Sent:
    ticket = _ticket(body)
    if ticket.get("status") == "ok":
        return sent
    details = ticket.get("details")
    kind = details.get("error") if isinstance(details, dict) else None
    said = str(ticket.get("message") or kind or "no ticket").replace(token, "[token]")[:300]
    return Sent(code=sent.code, error=said, is_final=kind is not None and kind not in PASSING, is_gone=kind == GONE)


def _ticket(body: bytes) -> dict[str, Any]:
    """The one ticket of an answer, alone or in a list; empty for any other answer."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    data = found.get("data") if isinstance(found, dict) else None
    first = data[0] if isinstance(data, list) and data else data
    return first if isinstance(first, dict) else {}
