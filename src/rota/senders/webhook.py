"""Posts JSON to a URL; signed where there is a secret (Standard Webhooks)."""

from datetime import datetime

from msgspec.structs import replace

from rota.core.delivery import Sent, judge_answer
from rota.outgoing import Failed, Outgoing, Refused, retry_after_s
from rota.senders.base import TIMEOUT_S, Endpoint, Parcel, redact

ANSWER_BYTES = 4096


class WebhookSender:
    """A receiver that takes its time, sends without end or answers nonsense costs one try and no more.

    timeout_s  how long a whole try may take
    """

    def __init__(self, outgoing: Outgoing, timeout_s: float = TIMEOUT_S) -> None:
        self._outgoing = outgoing
        self._timeout_s = timeout_s

    async def send(self, endpoint: Endpoint, parcel: Parcel, now: datetime) -> Sent:
        headers = {"content-type": "application/json", **endpoint.headers, **sign(endpoint, parcel, now)}
        try:
            answer = await self._outgoing.request(
                "POST",
                endpoint.url,
                headers,
                parcel.body,
                trusted=endpoint.trusted,
                timeout_s=self._timeout_s,
                max_bytes=ANSWER_BYTES,
            )
        except Refused as refusal:
            return Sent(error=redact(str(refusal), endpoint), is_final=True)
        except Failed as failure:
            return Sent(error=redact(str(failure), endpoint))
        sent = judge_answer(answer.status, retry_after_s(answer.headers, now))
        said = answer.body.decode("utf-8", "replace").strip()
        return replace(sent, error=redact(f"{sent.error}: {said}" if said else sent.error, endpoint)) if sent.error else sent

    async def close(self) -> None:
        await self._outgoing.close()


def sign(endpoint: Endpoint, parcel: Parcel, now: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks. One signature for each secret, so that a receiver may know the old or the new."""
    if not endpoint.signing:
        return {}
    from standardwebhooks.webhooks import Webhook

    signatures = [Webhook(secret).sign(parcel.id, now, parcel.body.decode()) for secret in endpoint.signing]
    return {
        "webhook-id": parcel.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
