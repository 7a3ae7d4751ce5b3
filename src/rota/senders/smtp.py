"""Mail, over SMTP."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from rota.senders.base import Endpoint

MODES = {"none": "insecure", "starttls": "starttls", "implicit": "ssl"}


def endpoint(values: Mapping[str, Any], recipient: str | None) -> Endpoint:
    """A recipient that a route names gets the mail in place of `to`, `cc` and `bcc`."""
    tls = values.get("tls") or ("implicit" if values.get("port") == 465 else "starttls")
    port = values.get("port") or {"none": 25, "starttls": 587, "implicit": 465}[tls]
    password = values["password"].reveal() if values.get("password") else None
    user = f"{quote(values['username'], safe='')}:{quote(password, safe='')}@" if password is not None else ""
    query = {
        "from": values["from"],
        "to": recipient or ",".join(values["to"]),
        "cc": "" if recipient else ",".join(values.get("cc") or []),
        "bcc": "" if recipient else ",".join(values.get("bcc") or []),
        "reply": values.get("reply_to") or "",
        "smtp": values["host"],
        "mode": MODES[tls],
        "verify": "no" if values.get("tls_skip_verify") else "yes",
        "format": "text",
    }
    scheme = "mailto" if tls == "none" else "mailtos"
    return Endpoint(
        way="apprise",
        url=f"{scheme}://{user}{values['host']}:{port}?{urlencode({name: value for name, value in query.items() if value})}",
        options={"format": "text"},
        secrets=() if password is None else (password, quote(password, safe="")),
    )
