"""How devices of users are told, as the engine takes it out of `[posthog.push]`."""

from rota.config.settings import PosthogPush
from rota.core.push import PushRules, Way

WAYS: dict[str, Way] = {"log": "device_log", "webhook": "device_hook", "expo": "expo", "webpush": "webpush"}


def build_push(settings: PosthogPush) -> PushRules | None:
    """None where nobody is told."""
    way, web = WAYS.get(settings.sender), WAYS["webpush"] if settings.vapid_key else None
    return PushRules(way=way, web=web, label=settings.label) if way or web else None
