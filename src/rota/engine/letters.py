"""Writes what a delivery says, when it is sent: words for people, a body for programs, and where it goes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from rota.config import Notifier
from rota.config.settings import PosthogPush
from rota.core.delivery import MAIL, NOTE, Delivery
from rota.core.errors import NotFound
from rota.core.message import WITH_TAIL, Message, compose, fill, shorten
from rota.core.notification import SEVERITIES, Note
from rota.core.run import Run
from rota.core.ulid import to_ulid
from rota.engine.mailtext import write_mail
from rota.logs import LogReader
from rota.senders import ENDPOINTS, Endpoint, Parcel, devices
from rota.store.pushing import DEVICE, WAY

TAIL = 3
# Among the last lines may be some of our own, about the run.
LOOK_BACK = 12
ShowRun = Callable[[Run, str], Any]
# As much as there is of the log of a run, with its task's name. Raises Unavailable.
OpenLog = Callable[[Run, str], Awaitable[LogReader]]


class Speaker(Struct, frozen=True):
    """Which server speaks. `url` is where people reach it, without trailing slash."""

    name: str = "rota"
    version: str = ""
    url: str | None = None


ROTA = Speaker()


def show_run(run: Run, task_name: str) -> dict[str, Any]:
    """A run as the native API knows it, with the name of its task."""
    return {"task": task_name, **msgspec.to_builtins(run)}


class Letters:
    """Secrets stay in the settings: a delivery names its notifier, and what that is now decides."""

    def __init__(
        self,
        open_log: OpenLog,
        notifiers: Iterable[Notifier] = (),
        speaker: Speaker = ROTA,
        show_run: ShowRun = show_run,
    ) -> None:
        self._open_log = open_log
        self._speaker = speaker
        self._show_run = show_run
        self.use(notifiers)

    def use(self, notifiers: Iterable[Notifier], push: PosthogPush | None = None) -> None:
        """Take over the notifiers of settings that were read again, and the ways to devices."""
        self._notifiers: Mapping[str, Notifier] = {notifier.id: notifier for notifier in notifiers}
        self._push = push

    def endpoint(self, delivery: Delivery) -> Endpoint:
        """Raises NotFound for a notifier that the settings have no more."""
        address = delivery.address
        if MAIL in address:
            return self._post_office(address[MAIL])
        if DEVICE in address and self._push is not None:
            return devices.endpoint(self._push, address[WAY])
        if "url" in address:
            return Endpoint(way="webhook", url=address["url"], trusted=False)
        notifier = self._notifiers.get(address["notifier"])
        if notifier is None:
            raise NotFound(f"the settings have no notifier {address['notifier']}")
        return ENDPOINTS[notifier.type](notifier.values, address.get("to"))

    async def mail(self, delivery: Delivery) -> Message:
        """What a mail to somebody whom the task names says."""
        note = msgspec.convert(delivery.body[NOTE], Note)
        name: str = delivery.body["log"]
        reader = await self._open_log(note.run, name)
        return await asyncio.to_thread(write_mail, note, reader, self._link(note, name))

    async def parcel(self, delivery: Delivery, endpoint: Endpoint) -> Parcel:
        note = msgspec.convert(delivery.body[NOTE], Note)
        tail = await self._read_tail(note) if note.kind in WITH_TAIL else []
        url = self._link(note, note.task)
        message = compose(note, tail, url)
        notifier = self._notifiers.get(delivery.address["notifier"])
        text = fill(notifier.template, note, tail, url) if notifier and notifier.template is not None else message.text
        return Parcel(
            id=delivery.id,
            title=message.headline,
            text=text,
            severity=SEVERITIES[note.kind],
            body=self._body(note, f"{message.headline}\n{text}", tail, url, endpoint),
        )

    def _link(self, note: Note, task_name: str) -> str | None:
        run_id = to_ulid(note.run.attempt_id or note.run.id)
        return f"{self._speaker.url}/tasks/{task_name}/{run_id}" if self._speaker.url else None

    def _post_office(self, email: str) -> Endpoint:
        """The first mail server of the settings carries what tasks send."""
        for notifier in self._notifiers.values():
            if notifier.type == "smtp":
                return ENDPOINTS[notifier.type](notifier.values, email)
        raise NotFound("there is no mail server", hint='a [[notifier]] with type = "smtp" is one')

    def _body(self, note: Note, message: str, tail: list[str], url: str | None, endpoint: Endpoint) -> bytes:
        if endpoint.options.get("shape") == "slack":
            channel = endpoint.options.get("channel")
            return msgspec.json.encode({"text": message, **({"channel": channel} if channel else {})})
        return msgspec.json.encode(
            {
                "event": note.kind,
                "severity": SEVERITIES[note.kind],
                "task": note.task,
                "run": self._show_run(note.run, note.task),
                "count": note.count,
                "message": message,
                "log_tail": shorten(tail),
                "url": url,
                "daemon": {"name": self._speaker.name, "version": self._speaker.version, "url": self._speaker.url},
            }
        )

    async def _read_tail(self, note: Note) -> list[str]:
        """The last lines that the run has printed; secrets are masked in the log itself."""
        return await asyncio.to_thread(_tail, await self._open_log(note.run, note.task), note)


def _tail(reader: LogReader, note: Note) -> list[str]:
    start = -LOOK_BACK if note.log_end is None else max(0, note.log_end - LOOK_BACK)
    lines = reader.page(start, LOOK_BACK).lines
    own = [line.plain for line in lines if line.stream != "system" and (note.log_end is None or line.n < note.log_end)]
    return own[-TAIL:]
