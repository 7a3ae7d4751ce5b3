"""Telegram, by a bot."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rota.senders.base import Endpoint

FORMATS = {"HTML": "html", "Markdown": "markdown", "MarkdownV2": "markdown"}


def endpoint(values: Mapping[str, Any], recipient: str | None) -> Endpoint:
    token, chat = values["bot_token"].reveal(), recipient or values["chat_id"]
    mode = values.get("parse_mode")
    style = f"?format={FORMATS[mode]}" + ("&mdv=v2" if mode == "MarkdownV2" else "") if mode else "?format=text"
    base = {"notify_url": f"{values['api_url']}/bot"} if values.get("api_url") else {}
    return Endpoint(
        way="apprise",
        url=f"tgram://{quote(token, safe=':')}/{quote(str(chat), safe='@-')}/{style}",
        options={"attributes": base, "format": FORMATS.get(mode or "", "text")},
        secrets=(token, *token.split(":")[1:]),
    )
