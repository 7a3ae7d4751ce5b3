"""The keys of [[notifier]] and [[notification_route]]: the tables that parsing and the reference are made from (RunWisp §15)."""

import base64
import binascii
import re
from typing import Any

from msgspec import Struct

from rota.config.kinds import (
    BOOLEAN,
    PATH,
    SECRET,
    TEXT,
    URL,
    BadValue,
    Kind,
    enum,
    expect,
    integer,
    list_of,
    matching,
    text_kind,
)
from rota.config.secret import Secret
from rota.core.notification import ROUTED

_DISCORD = re.compile(r"https?://[^?#\s]+/webhooks/[0-9]+/[A-Za-z0-9_-]+/?")


class NotifierKey(Struct, frozen=True):
    """One key of a kind of notifier. `ours`: RunWisp does not know it."""

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    ours: bool = False


def _secret_url(text: str) -> Secret:
    URL.from_text(text)
    return Secret(text)


def _discord_url(text: str) -> Secret:
    if not _DISCORD.fullmatch(text):
        raise BadValue("must be the URL of a Discord webhook: https://discord.com/api/webhooks/ID/TOKEN")
    return Secret(text)


def _signing_secret(text: str) -> Secret:
    try:
        bare = text.removeprefix("whsec_")
        found = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) < 16:
        raise BadValue("must be whsec_ and at least 16 bytes in base64")
    return Secret(text)


def _parse_headers(value: Any) -> dict[str, Secret]:
    expect(dict, value, "a table of strings")
    bad = [name for name, text in value.items() if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not _is_field(text)]
    if bad:
        raise BadValue("has unusable entries", *(((name,), "is not a header") for name in bad))
    return {name: Secret(text) for name, text in value.items()}


def _is_field(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isprintable()


def _one_or_more(value: Any) -> list[Secret]:
    return list_of(SIGNING, non_empty=True).parse([value] if isinstance(value, str) else value)  # type: ignore[no-any-return]


IDENTITY = matching("name", r"(?!inapp$)[A-Za-z0-9._-]{1,60}", "1 to 60 letters, digits or . _ -, and not inapp")
TARGET = matching("`id`, `id:recipient` or `inapp`", r"[^\s\x00]{1,100}", "the id of a notifier, id:recipient or inapp")
CHANNEL = matching("`#channel` or `@user`", r"[#@][^\s\x00]+", "a #channel or a @user")
MAIL = matching("mail address", r"[^@\x00\r\n]*[^\s@\x00,]+@[^\s@\x00,]+", "a mail address")
GLOB = matching("glob", r"[A-Za-z0-9._:*?\[\]!-]+", "a name, in which * and ? may stand for others")
SIGNING = text_kind("`whsec_…`, kept secret", _signing_secret)
SECRET_URL = text_kind("http(s) URL, kept secret", _secret_url)
DISCORD_URL = text_kind("URL of a webhook, kept secret", _discord_url)
HEADERS = Kind("table of strings, kept secret", _parse_headers, _parse_headers)
SECRETS = Kind("one or a list of `whsec_…`, kept secret", _one_or_more, _one_or_more)

COMMON_KEYS = (
    NotifierKey("id", IDENTITY, "What routes and lists call it.", required=True),
    NotifierKey("type", TEXT, "How it tells.", required=True),
    NotifierKey("template_path", PATH, "A file with the text of its messages; see [Notifications](../notifications.md)."),
)
TYPES: dict[str, tuple[NotifierKey, ...]] = {
    "slack": (
        NotifierKey("webhook_url", SECRET_URL, "An incoming webhook.", required=True),
        NotifierKey("channel", CHANNEL, "Where to, if not where the webhook says."),
    ),
    "discord": (NotifierKey("webhook_url", DISCORD_URL, "The webhook of a channel.", required=True),),
    "telegram": (
        NotifierKey("bot_token", SECRET, "Of the bot that writes.", required=True),
        NotifierKey("chat_id", TEXT, "Whom it writes to.", required=True),
        NotifierKey("parse_mode", enum("HTML", "Markdown", "MarkdownV2"), "What a template is written in."),
        NotifierKey("api_url", URL, "A Bot API server of your own.", ours=True),
    ),
    "smtp": (
        NotifierKey("host", TEXT, "The mail server.", required=True),
        NotifierKey("port", integer(1, 65_535), "465 with `implicit`, 587 with `starttls`, 25 with `none`."),
        NotifierKey("tls", enum("starttls", "implicit", "none"), "`implicit` on port 465, else `starttls`."),
        NotifierKey("tls_skip_verify", BOOLEAN, "Takes any certificate."),
        NotifierKey("from", MAIL, "The sender.", required=True),
        NotifierKey("to", list_of(MAIL, non_empty=True), "Recipients, at least one.", required=True),
        NotifierKey("cc", list_of(MAIL), "More of them."),
        NotifierKey("bcc", list_of(MAIL), "More, whom nobody sees."),
        NotifierKey("reply_to", MAIL, "Where answers go."),
        NotifierKey("username", TEXT, "With `password`; not with `tls = \"none\"`."),
        NotifierKey("password", SECRET, "With `username`."),
    ),
    "webhook": (
        NotifierKey("url", SECRET_URL, "Where to post.", required=True),
        NotifierKey("headers", HEADERS, "Sent along."),
        NotifierKey("secret", SECRETS, "Signs posts (Standard Webhooks); a list: with each.", ours=True),
    ),
    "apprise": (NotifierKey("url", SECRET, "A URL of Apprise: `ntfys://topic`, `gotify://host/token`, …", required=True,
                            ours=True),),
}  # fmt: skip
MATCH_KEYS: dict[str, Kind] = {
    "kind": list_of(enum(*sorted(ROUTED))),
    "severity": list_of(enum("info", "warn", "error")),
    "task": GLOB,
}
ROUTE_KEYS: dict[str, tuple[Kind, str]] = {
    "match": (Kind("table", lambda value: value, lambda text: text), "`kind`, `severity`: lists; `task`: a glob. Left out: all."),
    "notify": (list_of(TARGET, non_empty=True), "Whom to tell."),
}  # fmt: skip
