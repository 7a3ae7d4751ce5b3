"""Takes wake-ups and notices to the other nodes, and brings in theirs."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from rota.bus import Bus
from rota.core.errors import RotaError
from rota.core.notification import Notification
from rota.core.run import Run
from rota.core.task import Task
from rota.engine.context import Engine
from rota.store import notifications, runs, tasks
from rota.store.database import Connection, Database
from rota.store.wakeups import LONGEST_BYTES, call_out

log = structlog.get_logger()

# What happens within this time goes out together.
GATHER_S = 0.02
AGAIN_S = 1.0
# Loops that plan: where we lead, nobody else has to look.
LED = frozenset({"scheduler", "supervisor", "expirer", "pruner", "notifier", "recall"})
CALLED = LED | {"dispatcher", "membership"}
# Of this machine alone.
OWN_KINDS = frozenset({"system.sample", "config.stale"})
# What is sent by its id, and read again by who hears it.
BY_ID: dict[type, str] = {Run: "run", Task: "task", Notification: "notification"}
REFERENCE = "~"

Told = list[Any]


class Message(Struct, omit_defaults=True):
    """`told`: kind and data of notices, in their order. `number`: PostgreSQL takes messages of one transaction for one that do
    not differ. `missed`: something before it did not get through."""

    node: str
    wake: list[str] = []
    told: list[Told] = []
    number: int = 0
    missed: bool = False


class Relay:
    """Outward for the bus, and ears for it.

    on_call  is told which loop another node has woken, before ours is
    hidden   notices that are for nobody who watches, and who gets what they say
    is_heard whether anybody here is to hear the others
    """

    def __init__(
        self,
        engine: Engine,
        beside: Database,
        on_call: Callable[[str], object],
        hidden: Mapping[str, Callable[[dict[str, Any]], object]],
        is_heard: Callable[[], bool] = lambda: True,
    ) -> None:
        self._engine = engine
        self._hidden = hidden
        self._is_heard = is_heard
        self._beside = beside
        self._on_call = on_call
        self._wakes: set[str] = set()
        self._told: list[Told] = []
        self._sending: asyncio.Task[None] | None = None
        self._has_lost = False
        self._heard: asyncio.Queue[Message] = asyncio.Queue()

    # Out

    def wake(self, name: str) -> None:
        if name in CALLED and self._engine.has_others and not (name in LED and self._engine.leads):
            self._wakes.add(name)
            self._send_soon()

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        if self._engine.has_listeners and kind not in OWN_KINDS:
            self._told.append([kind, {name: _pack(value) for name, value in data.items()}])
            self._send_soon()

    def _send_soon(self) -> None:
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="relay")

    async def _send(self) -> None:
        pause_s = GATHER_S
        while pause_s:
            await asyncio.sleep(pause_s)
            pause_s = 0.0 if await self._call_out() else AGAIN_S
        self._sending = None
        if self._wakes or self._told:
            self._send_soon()

    async def _call_out(self) -> bool:
        """Whether it got through. What did not is not told later, but that there was something."""
        wakes, self._wakes = sorted(self._wakes), set()
        told, self._told = self._told, []
        messages = list(_messages(self._engine.node, wakes, told)) if wakes or told else []
        if self._has_lost:
            messages.insert(0, _encode(Message(self._engine.node, missed=True)))
        try:
            await self._beside.write(lambda c: call_out(c, messages))
        except RotaError as error:
            log.warning("the other nodes were not called", why=error.message)
            self._has_lost = True
            return False
        self._has_lost = False
        return True

    # In

    def hear(self, text: str) -> None:
        """From any node; our own words come back too."""
        try:
            message = msgspec.json.decode(text, type=Message)
        except msgspec.MsgspecError:  # of another version
            message = Message("", missed=True)
        if message.node != self._engine.node:
            self._heard.put_nowait(message)

    def miss(self) -> None:
        """We did not listen for a while: everybody looks for himself."""
        self._engine.bus.miss()
        for name in sorted(CALLED):
            self._call(name)

    async def bring_in(self) -> None:
        """What was heard, in its order, until cancelled."""
        while True:
            message = await self._heard.get()
            if message.missed:
                self.miss()
            for name in message.wake:
                self._call(name)
            if message.told:
                await self._tell(message.told)

    def _call(self, name: str) -> None:
        self._on_call(name)
        self._engine.bus.signal(name).set()

    async def _tell(self, told: list[Told]) -> None:
        bus: Bus = self._engine.bus
        for kind, data in told:
            if kind in self._hidden:
                self._hidden[kind](data)
        told = [each for each in told if each[0] not in self._hidden]
        if not told or not self._is_heard():
            return
        try:
            found = await self._engine.database.read(lambda c: _read(c, told))
        except RotaError as error:
            log.warning("what other nodes told cannot be read", why=error.message)
            bus.miss()
            return
        for kind, data in told:
            unpacked = {name: _unpack(value, found) for name, value in data.items()}
            if not any(value is None and data[name] is not None for name, value in unpacked.items()):
                bus.hear(kind, unpacked)
        bus.tell_pass("dispatcher")  # who waits for an admission has it before him now


def wake_up(node_id: str, name: str) -> str:
    """What the nodes are told so that a loop of theirs looks at its work."""
    return _encode(Message(node_id, [name]))


def messages_of(told: list[Told]) -> list[str]:
    """What all nodes are told by somebody who is none."""
    return list(_messages("", [], told))


def _pack(value: Any) -> Any:
    kind = BY_ID.get(type(value))
    return {REFERENCE: kind, "id": value.id} if kind else value


def _unpack(value: Any, found: dict[tuple[str, str], Any]) -> Any:
    """None for what is gone meanwhile."""
    return found.get((value[REFERENCE], value["id"])) if isinstance(value, dict) and REFERENCE in value else value


def _messages(node: str, wakes: list[str], told: list[Told]) -> Iterator[str]:
    """As few as their length allows. What is too long for one alone is left out: it is text for people, not work."""
    part: list[Told] = []
    size = number = 0
    for each in told:
        length = len(msgspec.json.encode(each)) + 1
        if size + length > LONGEST_BYTES - 200 and part:
            yield _encode(Message(node, told=part, number=number))
            part, size, number = [], 0, number + 1
        if length <= LONGEST_BYTES - 200:
            part, size = [*part, each], size + length
    yield _encode(Message(node, wakes, part, number))


def _encode(message: Message) -> str:
    return msgspec.json.encode(message).decode()


def _read(c: Connection, told: Iterable[Told]) -> dict[tuple[str, str], Any]:
    packed = [value for _, data in told for value in data.values() if isinstance(value, dict) and REFERENCE in value]
    ids: dict[str, set[str]] = {kind: {each["id"] for each in packed if each[REFERENCE] == kind} for kind in BY_ID.values()}
    found: dict[tuple[str, str], Any] = {("run", run.id): run for run in runs.get_runs(c, ids["run"])} if ids["run"] else {}
    if ids["task"]:
        found |= {("task", task_id): task for task_id, task in tasks.get_tasks(c, sorted(ids["task"])).items()}
    for notification_id in ids["notification"]:
        found["notification", notification_id] = notifications.find_notification(c, notification_id)
    return found
