"""Where notices to devices go, out of `[posthog.push]`. What is carried is JSON: {id, device: {id, token, platform}, event,
title, body, data}."""

from rota.config.settings import PosthogPush
from rota.core.push import Way
from rota.senders.base import Endpoint

EXPO = "https://exp.host/--/api/v2/push/send"


def endpoint(settings: PosthogPush, way: Way) -> Endpoint:
    """Of that way, as the settings are now."""
    url, token = (secret.reveal() if secret else None for secret in (settings.url, settings.token))
    headers = {"authorization": f"Bearer {token}"} if token else {}
    secrets = tuple(filter(None, (url, token)))
    if way == "webpush":
        key = settings.vapid_key.reveal() if settings.vapid_key else ""
        options = {"key": key, "contact": settings.vapid_contact}
        return Endpoint(way=way, url="", trusted=False, options=options, secrets=(key,))
    if way == "expo":
        return Endpoint(way=way, url=url or EXPO, headers=headers, secrets=secrets)
    return Endpoint(way=way, url=url or "", headers=headers, secrets=secrets)
