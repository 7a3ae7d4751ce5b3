"""The notifier with real receivers and a clock that is set by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook
from tests.asking import HandClock
from tests.databases import open_memory
from tests.factories import make_run, make_task, spec
from tests.receivers import Receiver, answer, hang, receiving, reset, trickle

from rota.bus import Bus
from rota.config import Notifier as Somebody
from rota.config import Secret
from rota.core.delivery import Delivery
from rota.core.notification import Route, Rules
from rota.core.policy import LogLimit
from rota.core.run import Run
from rota.engine.context import Engine
from rota.engine.known import KnownTasks
from rota.engine.letters import Letters, Speaker
from rota.engine.notifier import Form, Notifier
from rota.ids import Ids
from rota.logs import LogName, LogReader, RunLogs
from rota.outgoing import Guard, Outgoing
from rota.senders import WebhookSender
from rota.store import notifications, outbox, runs, tasks
from rota.store.database import Connection, Database
from rota.store.outbox import Callback
from rota.store.runs import NewRun
from rota.vitals import Vitals

SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")


class Scene:
    """A server with nothing but its notifier; it may die and start again on the same store."""

    def __init__(
        self, folder: Path, database: Database, receivers: Sequence[Receiver], forms: dict[str, Form] | None = None
    ) -> None:
        self.clock = HandClock()
        self.database = database
        self.receivers = receivers
        self.forms = forms
        self.logs = RunLogs(folder / "logs")
        self.task = make_task(name="dump", spec=spec(name="dump"), source="file")
        self.database.run(lambda c: tasks.insert_task(c, self.task))
        self.boot()

    def boot(self) -> None:
        self.ids = Ids(self.clock)
        names = [f"r{number}" for number in range(len(self.receivers))]
        rules = Rules(
            always=("inapp",), routes=(Route(targets=tuple(names)),) if names else (), window_s=100, ring=3, budget_s=300
        )
        self.engine = Engine(
            node=self.ids.new(), database=self.database, clock=self.clock, bus=Bus("t"), ids=self.ids,
            vitals=Vitals(started_at=self.clock.now()), known=KnownTasks(), rules=rules,
        )  # fmt: skip
        known = [
            Somebody(
                id=name,
                type="webhook",
                values={"url": Secret(f"{receiver.url}/hook?key=hidden"), "secret": [*map(Secret, SECRETS)]},
            )
            for name, receiver in zip(names, self.receivers, strict=True)
        ]
        letters = Letters(self.open_log, known, Speaker("here", "1", "https://rota.example"))
        self.sender = WebhookSender(Outgoing(Guard("allow")))
        self.notifier = Notifier(self.engine, letters, {"webhook": self.sender}, self.forms)

    async def open_log(self, run: Run, task_name: str) -> LogReader:
        return self.logs.reader(LogName(task_name, run.created_at, run.id))

    def end(self, **fields: Any) -> Run:
        """A run of the task comes to an end."""
        run = make_run(self.task, **{
            "id": self.ids.new(), "state": "failed", "exit_code": 4, "error": "exit code 4", "created_at": self.clock.now(),
            "started_at": self.clock.now(), "ended_at": self.clock.now(), **fields,
        })  # fmt: skip
        self.database.run(lambda c: self.engine.tell(c, [(run, self.task)], self.clock.now()))
        return run

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.notifier.drain()

    def deliveries(self) -> list[Delivery]:
        return self.database.run(lambda c: outbox.list_deliveries(c, limit=1000))[::-1]

    def bell(self) -> list[str]:
        return [line.title for line in self.database.run(lambda c: notifications.list_notifications(c, everyone=True, limit=99))]


Play = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Plays a scene with receivers that answer by these scripts."""

    @asynccontextmanager
    async def staged(scripts: Sequence[Sequence[Any]], forms: dict[str, Form] | None) -> AsyncIterator[Scene]:
        database = open_memory()
        async with _all(scripts) as receivers:
            scene = Scene(tmp_path, database, receivers, forms)
            yield scene
            await scene.notifier.close(0.01)  # none of them waits for what hangs
        database.close()

    def plays(act: Play, *scripts: Sequence[Any], forms: dict[str, Form] | None = None) -> None:
        async def run() -> None:
            async with staged(scripts, forms) as scene:
                await act(scene)

        asyncio.run(run())

    return plays


@asynccontextmanager
async def _all(scripts: Sequence[Sequence[Any]]) -> AsyncIterator[list[Receiver]]:
    if not scripts:
        yield []
        return
    async with receiving(*scripts[0]) as first, _all(scripts[1:]) as others:
        yield [first, *others]


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [msgspec.json.decode(received.body) for received in receiver.received]


def test_a_failure_is_told_in_the_form_of_the_contract(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        run = make_run(scene.task, id=scene.ids.new(), created_at=scene.clock.now())
        writer = scene.logs.writer(LogName("dump", run.created_at, run.id), LogLimit())
        writer.write("stdout", b"one\ntwo\nthree\nfour\n", 0)
        writer.close(0)
        scene.end(id=run.id)
        await scene.notifier.drain()
        (received,) = scene.receivers[0].received
        body = msgspec.json.decode(received.body)
        assert list(body) == ["event", "severity", "task", "run", "count", "message", "log_tail", "url", "daemon"]
        assert (body["event"], body["severity"], body["task"], body["run"]["exit_code"]) == ("run.failed", "error", "dump", 4)
        assert body["log_tail"] == ["two", "three", "four"]
        assert body["url"].startswith("https://rota.example/tasks/dump/0")
        assert body["message"].splitlines()[:2] == ["dump failed", "exit code 4, after 0 ms"]
        assert [delivery.status for delivery in scene.deliveries()] == ["delivered"]
        for secret in SECRETS:  # a receiver may know the old or the new one
            assert _verify(secret, received.headers, received.body)

    play(act, [answer(200)])


def _verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As a receiver does it, but for the age: the clock of the test stands still."""
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    return Webhook(secret).sign(headers["webhook-id"], at, body.decode()) in headers["webhook-signature"].split(" ")


@pytest.mark.parametrize("bad", [answer(500, b"no"), answer(503), answer(404), answer(429), reset])
def test_what_may_pass_is_tried_again_with_growing_waits(play: Callable[..., None], bad: Any) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        await scene.notifier.drain()
        for seconds, tries in ((0.9, 1), (0.2, 2), (1.8, 2), (0.3, 3)):
            await scene.pass_time(seconds)
            assert len(scene.receivers[0].received) == tries
        (delivery,) = scene.deliveries()
        assert (delivery.status, delivery.attempts) == ("delivered", 3)
        ids = {received.headers["webhook-id"] for received in scene.receivers[0].received}
        assert ids == {delivery.id}

    play(act, [bad, bad, answer(204)])


def test_the_receiver_says_when_to_try_again(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        await scene.notifier.drain()
        await scene.pass_time(29)
        assert len(scene.receivers[0].received) == 1
        await scene.pass_time(2)
        assert len(scene.receivers[0].received) == 2

    play(act, [answer(429, Retry_After="30"), answer(204)])


async def answer_late(writer: asyncio.StreamWriter) -> None:
    """Success, but when nobody waits for it any more."""
    await asyncio.sleep(0.5)
    await answer(204)(writer)


@pytest.mark.parametrize("bad", [answer_late, hang, trickle])
def test_what_answers_too_late_has_not_been_told_and_is_told_again(play: Callable[..., None], bad: Any) -> None:
    async def act(scene: Scene) -> None:
        patient = scene.notifier._senders
        scene.notifier._senders = {"webhook": WebhookSender(Outgoing(Guard("allow")), timeout_s=0.05)}
        scene.end()
        await scene.notifier.drain()
        (delivery,) = scene.deliveries()
        assert (delivery.status, delivery.attempts) == ("waiting", 1)
        assert delivery.error == "no answer within 0.05 s"
        scene.notifier._senders = patient
        await scene.pass_time(1)
        (delivery,) = scene.deliveries()
        assert (delivery.status, delivery.attempts) == ("delivered", 2)

    play(act, [bad, answer(204)])


@pytest.mark.parametrize("bad", [answer(410), answer(400), answer(302, Location="http://127.0.0.1/")])
def test_what_would_be_refused_again_is_given_up_at_once_and_rings_the_bell(play: Callable[..., None], bad: Any) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        await scene.notifier.drain()
        (delivery,) = scene.deliveries()
        assert (delivery.status, delivery.attempts) == ("failed", 1)
        assert scene.bell() == ["r0 could not be told", "dump failed"]

    play(act, [bad])


def test_a_budget_is_spent_and_then_the_bell_tells(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        for _ in range(400):
            await scene.pass_time(1)
        (delivery,) = scene.deliveries()
        assert (delivery.status, delivery.error) == ("failed", "answered 500")
        assert 8 <= delivery.attempts <= 12
        assert scene.bell() == ["r0 could not be told", "dump failed"]
        assert len(scene.database.run(lambda c: outbox.list_tries(c, delivery.id))) == delivery.attempts

    play(act, [answer(500)])


def test_no_secret_of_a_notifier_stands_in_an_error(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        await scene.notifier.drain()
        (delivery,) = scene.deliveries()
        assert "hidden" not in (delivery.error or "")
        assert "[redacted]" in (delivery.error or "")

    async def echo(writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        await answer(400, f"no such key: http://127.0.0.1:{port}/hook?key=hidden {SECRETS[0]}".encode())(writer)

    play(act, [echo])


def test_a_receiver_that_hangs_holds_up_nobody_else(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(20):
            scene.end(reason=None, state="failed")
            scene.clock.advance(101)
        tick = await asyncio.wait_for(scene.notifier.tick(), 1)
        assert tick.counts["sent"] == 6  # two of each receiver
        async with asyncio.timeout(5):
            while len(scene.receivers[2].received) < 20:
                await asyncio.sleep(0)
                await scene.notifier.tick()
        assert [len(receiver.received) for receiver in scene.receivers] == [2, 2, 20]

    play(act, [hang], [trickle], [answer(204)])


def test_a_secret_is_rotated_without_a_word_lost(play: Callable[..., None]) -> None:
    """First the old one, then both, the new one first, and in the end the new one alone."""

    async def act(scene: Scene) -> None:
        old, new = SECRETS
        for secrets, known in (([old], {old}), ([new, old], {old, new}), ([new], {new})):
            url = Secret(f"{scene.receivers[0].url}/hook")
            scene.notifier._letters.use(
                [Somebody(id="r0", type="webhook", values={"url": url, "secret": [*map(Secret, secrets)]})]
            )
            scene.end()
            await scene.pass_time(101)
            told = scene.receivers[0].received[-1]
            assert {secret for secret in SECRETS if _verify(secret, told.headers, told.body)} == known

    play(act, [answer(204)])


def test_a_pass_that_finds_nothing_waits_for_the_next_moment(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        await scene.notifier.drain()
        tick = await scene.notifier.tick()
        assert tick.counts == {"sent": 0, "ended": 0, "summaries": 0}
        assert tick.next_at == scene.clock.now() + timedelta(seconds=1)

    play(act, [answer(500)])


def test_like_failures_are_summed_up_when_the_window_ends(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(3):
            scene.end()
        await scene.notifier.drain()
        assert len(scene.receivers[0].received) == 1
        await scene.pass_time(101)
        assert [(body["count"], body["message"].splitlines()[0]) for body in bodies(scene.receivers[0])] == [
            (1, "dump failed"),
            (2, "2 more times: dump failed"),
        ]

    play(act, [answer(204)])


def test_what_is_held_back_is_told_when_the_server_stops(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        scene.end()
        await scene.notifier.close(2)
        assert [body["count"] for body in bodies(scene.receivers[0])] == [1, 1]
        assert all(delivery.status == "delivered" for delivery in scene.deliveries())

    play(act, [answer(204)])


def test_stopping_does_not_wait_for_a_receiver_that_hangs(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        await scene.notifier.tick()
        await asyncio.wait_for(scene.notifier.close(0.1), 2)
        assert [delivery.status for delivery in scene.deliveries()] == ["waiting"]

    play(act, [hang])


def test_what_was_on_its_way_when_the_server_died_is_sent_again(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        run = scene.end()
        await scene.notifier.tick()
        died = scene.notifier
        scene.boot()
        scene.database.run(lambda c: scene.engine.tell(c, [(run, scene.task)], scene.clock.now()))
        await scene.notifier.drain()
        await died.close(0.1)
        assert scene.deliveries()[0].status == "delivered"
        assert scene.deliveries()[0].attempts == 2

    play(act, [hang, answer(204)])


def test_a_notifier_that_the_settings_have_no_more_ends_its_deliveries(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        scene.receivers = []
        scene.boot()
        await scene.notifier.drain()
        (delivery,) = scene.deliveries()
        assert (delivery.status, delivery.error) == ("failed", "the settings have no notifier r0")

    play(act, [answer(204)])


def test_watchers_hear_of_the_bell(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        with scene.engine.bus.watch() as watcher:
            scene.end()
            await scene.notifier.drain()
            scene.end()
            await scene.notifier.drain()
            notices = [await watcher.next() for _ in range(2)]
        assert [notice.kind for notice in notices] == ["notification.created", "notification.updated"]
        assert notices[1].data["notification"].count == 2
        assert (notices[1].data["owner_id"], notices[1].data["task_id"]) == (None, scene.task.id)

    play(act)


def show_state(c: Connection, delivery: Delivery) -> bytes | None:
    run = runs.find_run(c, delivery.run_id or "")
    return msgspec.json.encode({"state": run.state}) if run else None


def add_called_back(scene: Scene, *, is_retried: bool = False) -> str:
    """A run whose changes somebody asked to be told of."""
    run_id = scene.ids.new()

    def write(c: Connection) -> None:
        runs.insert_runs(c, [NewRun(make_run(scene.task, id=run_id))])
        outbox.set_callback(c, Callback(run_id=run_id, url=scene.receivers[0].url, form="state", is_retried=is_retried))

    scene.database.run(write)
    return run_id


def change(scene: Scene, run_id: str, *, final: bool = False) -> None:
    scene.database.run(lambda c: outbox.tell_callbacks(c, [run_id], scene.clock.now(), scene.ids, final=final))


def test_a_callback_tells_what_is_readable_when_it_is_sent_and_keeps_order(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        run_id = add_called_back(scene)
        change(scene, run_id)
        await scene.notifier.drain()
        for _ in range(5):
            change(scene, run_id)
        scene.database.run(
            lambda c: c.run("UPDATE runs SET state = 'succeeded', admission = NULL, ended_at = 1 WHERE id = ?", (run_id,))
        )
        change(scene, run_id, final=True)
        await scene.notifier.drain()
        assert [body["state"] for body in bodies(scene.receivers[0])] == ["pending", "succeeded"]
        assert "webhook-signature" not in scene.receivers[0].received[0].headers

    play(act, [answer(204)], forms={"state": show_state})


def test_what_takes_long_to_write_is_written_behind_the_transaction(play: Callable[..., None]) -> None:
    scenes: list[Scene] = []

    def show_later(c: Connection, delivery: Delivery) -> Callable[[], Awaitable[bytes]]:
        async def write() -> bytes:
            await scenes[0].database.write(lambda c: c.rows("SELECT 1"))  # which waits for the transaction before it
            return b'{"later": true}'

        return write

    async def act(scene: Scene) -> None:
        scenes.append(scene)
        change(scene, add_called_back(scene), final=True)
        await scene.notifier.drain()
        assert bodies(scene.receivers[0]) == [{"later": True}]

    play(act, [answer(204)], forms={"state": show_later})


@pytest.mark.parametrize("bad", [answer(500), answer(302), reset])
def test_a_callback_is_tried_once_and_its_failure_is_nobodys(play: Callable[..., None], bad: Any) -> None:
    async def act(scene: Scene) -> None:
        change(scene, add_called_back(scene), final=True)
        for _ in range(5):
            await scene.pass_time(60)
        assert len(scene.receivers[0].received) == 1
        assert (scene.deliveries()[0].status, scene.bell()) == ("failed", [])

    play(act, [bad], forms={"state": show_state})


def test_a_callback_to_a_forbidden_address_is_never_called(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        run_id = add_called_back(scene)
        scene.database.run(
            lambda c: c.run("UPDATE callbacks SET url = 'http://169.254.169.254/latest' WHERE run_id = ?", (run_id,))
        )
        change(scene, run_id, final=True)
        await scene.notifier.drain()
        (delivery,) = scene.deliveries()
        assert delivery.status == "failed"
        assert "may not be called" in (delivery.error or "")

    play(act, [answer(204)], forms={"state": show_state})


def test_nothing_follows_the_deletion_of_a_run(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        run_id = add_called_back(scene)
        change(scene, run_id, final=True)
        scene.database.run(lambda c: c.run("DELETE FROM runs WHERE id = ?", (run_id,)))
        await scene.notifier.drain()
        assert scene.receivers[0].received == []
        assert [delivery.status for delivery in scene.deliveries()] == ["dropped"]

    play(act, [answer(204)], forms={"state": show_state})


def test_the_bell_and_the_log_are_pruned(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end()
        await scene.notifier.drain()
        await scene.pass_time(31 * 86_400)
        assert scene.deliveries() == []
        assert scene.bell() == ["dump failed"]
        await scene.pass_time(60 * 86_400)
        assert scene.bell() == []

    play(act, [answer(204)])


def test_a_task_of_its_own_is_not_told_of_what_concerns_nobody(play: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        scene.end(state="succeeded", exit_code=0, error=None)
        assert await scene.notifier.tick() is not None
        assert (scene.deliveries(), scene.bell()) == ([], [])

    play(act)
