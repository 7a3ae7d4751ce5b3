"""Mails a text, with files if wanted, by a mail server that the settings name."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from rota.modules.builtin.words import both, param
from rota.modules.context import Context
from rota.modules.decorator import module

MOST_BYTES = 20 << 20


@module(
    displayname=both("Mail a report", "Bericht mailen"),
    description=both(
        "Mails a text and files by a mail server of the settings.",
        "Mailt einen Text und Dateien über einen Mailserver der Einstellungen.",
    ),
)
def email_report(
    ctx: Context,
    subject: Annotated[
        str,
        param(("Subject", "Betreff"), ("Of the mail.", "Der Mail."), min_length=1, max_length=500, pattern=r"\A[^\r\n\x00]*\Z"),
    ],
    text: Annotated[str, param(("Text", "Text"), ("Of the mail.", "Der Mail."), max_length=1_000_000)] = "",
    to: Annotated[
        list[str],
        param(
            ("To", "An"),
            ("Mail addresses; without any, those of the notifier.", "Mailadressen; ohne Angabe die des Notifiers."),
            max_length=100,
        ),
    ] = [],  # noqa: B006  never changed
    attach: Annotated[
        list[str],
        param(
            ("Files", "Dateien"),
            ("Sent along, from below [files] roots.", "Werden mitgesandt, von unterhalb von [files] roots."),
            max_length=20,
        ),
    ] = [],  # noqa: B006  never changed
    notifier: Annotated[
        str | None,
        param(
            ("Notifier", "Notifier"),
            (
                "Id of a [[notifier]] of type smtp; the first unless given.",
                "Id eines [[notifier]] vom Typ smtp; sonst der erste.",
            ),
        ),
    ] = None,
) -> dict[str, Any]:
    """A refusal of the server is a failure. A mail may come twice if the run is tried again."""
    from tempfile import TemporaryDirectory

    from rota.core.errors import Conflict

    values = _find_mailer(ctx.given.get("mailers", {}), notifier)
    with TemporaryDirectory(prefix="rota-mail-") as folder:
        copies = [_copy(path, ctx.given.get("roots", []), Path(folder) / str(number)) for number, path in enumerate(attach)]
        error = asyncio.run(_send(values, to, subject, text, copies, ctx.key))
    if error:
        raise Conflict(f"not sent: {error}")
    recipients = to or values["to"]
    ctx.info(f"sent to {len(recipients)} recipients", 100)
    return {"recipients": len(recipients), "files": len(copies)}


def _find_mailer(mailers: dict[str, Any], wanted: str | None) -> dict[str, Any]:
    from rota.core.errors import Invalid, Unavailable

    if not mailers:
        raise Unavailable('there is no mail server: the settings need a [[notifier]] with type = "smtp"')
    found: dict[str, Any] | None = mailers.get(wanted) if wanted else next(iter(mailers.values()))
    if found is None:
        raise Invalid(f"no [[notifier]] of type smtp has the id {wanted}; there are: {', '.join(mailers)}")
    return found


def _copy(path: str, roots: Sequence[str], folder: Path) -> str:
    """A file of our own: what is sent is what was checked."""
    from rota.core.errors import Conflict
    from rota.modules.places import open_file

    with open_file(path, roots) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Conflict(f"{path} is larger than {MOST_BYTES >> 20} MiB")
    folder.mkdir()
    copy = folder / Path(path).name
    copy.write_bytes(content)
    return str(copy)


async def _send(values: dict[str, Any], to: Sequence[str], subject: str, text: str, copies: list[str], key: str) -> str | None:
    """Why it was not sent, without the password."""
    from msgspec.structs import replace

    from rota.clock import SystemClock
    from rota.config.secret import Secret
    from rota.senders import smtp
    from rota.senders.apprise import AppriseSender
    from rota.senders.base import Parcel

    password = values.get("password")
    hidden = {**values, "password": Secret(password)} if password else values
    endpoint = smtp.endpoint(hidden, ",".join(to) or None)
    sender = AppriseSender()
    try:
        options = {**endpoint.options, "attach": copies} if copies else endpoint.options
        parcel = Parcel(id=key, title=subject, text=text or subject, body=b"")
        return (await sender.send(replace(endpoint, options=options), parcel, SystemClock().now())).error
    finally:
        await sender.close()
