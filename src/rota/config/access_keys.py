"""The settings of single surfaces: who is let in, how often, and what they tell."""

import re

from rota.config.kinds import (
    BOOLEAN,
    LABEL,
    SECRET,
    BadValue,
    Kind,
    enum,
    integer,
    matching,
    text_kind,
)
from rota.config.notify_keys import SECRET_URL
from rota.config.quantities import duration, seconds
from rota.config.secret import Secret
from rota.config.setting import Setting


def _no_auth_text(text: str) -> bool:
    if text not in ("1", "true"):
        raise BadValue("must be 1 or true; leave it unset to keep the password")
    return True


NO_AUTH = Kind("1 or true", BOOLEAN.parse, _no_auth_text)


def _vapid_key(text: str) -> Secret:
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}=?", text):
        raise BadValue("must be 32 bytes in base64url")
    return Secret(text)


VAPID_KEY = text_kind("base64url, kept secret", _vapid_key)
URL_OR_MAIL = matching(
    "`mailto:…` or `https://…`", r"(mailto:[^\s@]+@[^\s@]+|https://\S+)", "mailto: and a mail address, or an https URL"
)

ACCESS = (
    Setting(
        "ordinaut",
        "access_token_minutes",
        integer(1, 525_600),
        "60",
        "How long an agent's access token is good for.",
        ("ROTA_ORDINAUT_ACCESS_TOKEN_MINUTES", "JWT_ACCESS_TOKEN_EXPIRE_MINUTES"),
    ),
    Setting(
        "ordinaut",
        "refresh_token_days",
        integer(1, 3650),
        "30",
        "How long a refresh token is good for.",
        ("ROTA_ORDINAUT_REFRESH_TOKEN_DAYS", "JWT_REFRESH_TOKEN_EXPIRE_DAYS"),
    ),
    Setting(
        "ordinaut",
        "rate_limit",
        enum("auto", "on", "off"),
        "auto",
        "Whether requests of one token are limited. `auto`: those that do not come from this machine.",
        ("ROTA_ORDINAUT_RATE_LIMIT",),
    ),
    Setting(
        "ordinaut",
        "requests_per_minute",
        integer(1, 1_000_000),
        "60",
        "Requests of one token in any minute.",
        ("ROTA_ORDINAUT_REQUESTS_PER_MINUTE", "MAX_REQUESTS_PER_MINUTE"),
    ),
    Setting(
        "ordinaut",
        "requests_per_hour",
        integer(1, 1_000_000),
        "1000",
        "Requests of one token in any hour.",
        ("ROTA_ORDINAUT_REQUESTS_PER_HOUR", "MAX_REQUESTS_PER_HOUR"),
    ),
    Setting(
        "ordinaut",
        "legacy_tokens",
        BOOLEAN,
        "false",
        "Lets in, from this machine alone, whoever shows the bare id of an agent as its token.",
        ("ROTA_ORDINAUT_LEGACY_TOKENS",),
    ),
    Setting(
        "ordinaut",
        "backoff_base",
        seconds(positive=True, most_s=3600),
        "1s",
        "The wait before the first retry of a task that an agent makes; later ones follow from it.",
        ("ROTA_ORDINAUT_BACKOFF_BASE", "WORKER_BACKOFF_BASE"),
    ),
    Setting(
        "ordinaut",
        "backoff_max",
        seconds(positive=True, most_s=86_400),
        "1m",
        "The longest wait between retries of a task that an agent makes.",
        ("ROTA_ORDINAUT_BACKOFF_MAX", "WORKER_BACKOFF_MAX"),
    ),
    Setting(
        "posthog",
        "requests_per_minute",
        integer(1, 1_000_000),
        "480",
        "Requests of one key to the PostHog surface in any minute.",
        ("ROTA_POSTHOG_REQUESTS_PER_MINUTE",),
    ),
    Setting(
        "posthog",
        "requests_per_hour",
        integer(1, 1_000_000),
        "4800",
        "Requests of one key in any hour.",
        ("ROTA_POSTHOG_REQUESTS_PER_HOUR",),
    ),
    Setting(
        "posthog",
        "presence_ttl",
        duration(positive=True),
        "60s",
        "How long a device counts as watching a task after it last said so.",
        ("ROTA_POSTHOG_PRESENCE_TTL",),
    ),
    Setting(
        "posthog.push",
        "sender",
        enum("none", "log", "webhook", "expo", "webpush"),
        "none",
        "How registered devices are told: a line of the server's own log, a webhook, an Expo-compatible service, web push.",
        ("ROTA_POSTHOG_PUSH_SENDER",),
    ),
    Setting(
        "posthog.push",
        "url",
        SECRET_URL,
        None,
        "The webhook, or an Expo-compatible service in place of Expo's own.",
        ("ROTA_POSTHOG_PUSH_URL",),
    ),
    Setting(
        "posthog.push",
        "token",
        SECRET,
        None,
        "Sent to that URL as `Authorization: Bearer`.",
        ("ROTA_POSTHOG_PUSH_TOKEN",),
    ),
    Setting(
        "posthog.push",
        "label",
        LABEL,
        "Rota",
        "Title of the notices.",
        ("ROTA_POSTHOG_PUSH_LABEL",),
    ),
    Setting(
        "posthog.push",
        "vapid_key",
        VAPID_KEY,
        None,
        "Private key for web push: 32 bytes in base64url. Where it is set, devices of the platform `web` are told by web push.",
        ("ROTA_POSTHOG_PUSH_VAPID_KEY",),
    ),
    Setting(
        "posthog.push",
        "vapid_contact",
        URL_OR_MAIL,
        None,
        "Whom push services may write to: `mailto:…` or `https://…`. Needed beside `vapid_key`.",
        ("ROTA_POSTHOG_PUSH_VAPID_CONTACT",),
    ),
    Setting(
        "runwisp",
        "password",
        SECRET,
        None,
        "Password of the RunWisp surface. Unset: a random one at each start.",
        ("ROTA_RUNWISP_PASSWORD", "RUNWISP_PASSWORD"),
        in_file=False,
    ),
    Setting(
        "runwisp",
        "no_auth",
        NO_AUTH,
        None,
        "Opens the RunWisp surface to whoever reaches it. Not together with a password.",
        ("ROTA_RUNWISP_NO_AUTH", "RUNWISP_NO_AUTH"),
        in_file=False,
    ),
)
