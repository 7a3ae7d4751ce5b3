"""The bell and the delivery log over the native API."""

from tests.asking import People, asked, new_task
from tests.factories import NOON, at, make_id, make_notification

from rota.core.delivery import Delivery, Sent
from rota.core.notification import Notification
from rota.ops.context import Rota
from rota.store import notifications, outbox
from rota.store.database import Connection


def ring(rota: Rota, **fields: object) -> Notification:
    line = make_notification(**fields)
    rota.database.run(lambda c: notifications.insert_notification(c, line))
    return line


def add_delivery(rota: Rota, status: str = "delivered") -> str:
    delivery = Delivery(
        id=make_id(),
        lane="a",
        target="ops",
        address={"notifier": "ops"},
        body={"secret": "hidden"},
        created_at=NOON,
        due_at=NOON,
        give_up_at=at(60),
    )

    def write(c: Connection) -> None:
        outbox.insert_deliveries(c, [delivery])
        if status != "waiting":
            outbox.record_try(c, delivery, Sent(code=500, error="answered 500"), NOON, 0.5)
            outbox.end_delivery(c, delivery.id, "failed", at(1), "answered 500")

    rota.database.run(write)
    return delivery.id


def test_the_bell_is_paged_newest_first(rota: Rota) -> None:
    lines = [ring(rota) for _ in range(5)]

    async def talk(who: People) -> None:
        first = (await who.root.get("/v1/notifications?limit=3")).json()
        assert [item["id"] for item in first["items"]] == [line.id for line in reversed(lines[2:])]
        second = (await who.root.get(f"/v1/notifications?limit=3&cursor={first['next_cursor']}")).json()
        assert [item["id"] for item in second["items"]] == [line.id for line in reversed(lines[:2])]
        assert second["next_cursor"] is None
        assert first["items"][0]["occurrences"] == ["2026-03-02T12:00:00Z"]

    asked(rota, talk)


def test_a_line_is_read_and_unread_and_all_are_read_at_once(rota: Rota) -> None:
    line, _ = ring(rota), ring(rota)

    async def talk(who: People) -> None:
        async def unread() -> int:
            return int((await who.root.get("/v1/notifications/unread")).json()["count"])

        assert await unread() == 2
        assert (await who.root.post(f"/v1/notifications/{line.id}/read")).json()["read_at"] is not None
        assert await unread() == 1
        assert (await who.root.post(f"/v1/notifications/{line.id}/unread")).json()["read_at"] is None
        assert await unread() == 2
        assert (await who.root.post("/v1/notifications/read")).json() == {"count": 2}
        assert await unread() == 0

    asked(rota, talk)


def test_whoever_watches_hears_that_lines_were_read(rota: Rota) -> None:
    line = ring(rota)

    async def talk(who: People) -> None:
        with rota.bus.watch() as watcher:
            await who.root.post(f"/v1/notifications/{line.id}/read")
            notice = await watcher.next()
            assert (notice.kind, notice.data) == ("notification.read", {"owner_id": None})

    asked(rota, talk)


def test_each_sees_the_bell_of_its_own_tasks(rota: Rota) -> None:
    async def talk(who: People) -> None:
        ring(rota, owner_id=(await new_task(who.owner))["owner_id"])
        ring(rota)
        counts = [(await each.get("/v1/notifications/unread")).json()["count"] for each in (who.owner, who.stranger, who.root)]
        assert counts == [1, 0, 2]
        assert (await who.owner.post("/v1/notifications/read")).json() == {"count": 1}
        assert (await who.root.get("/v1/notifications/unread")).json() == {"count": 1}

    asked(rota, talk)


def test_the_delivery_log_tells_each_try_and_not_what_was_sent(rota: Rota) -> None:
    delivery_id = add_delivery(rota)

    async def talk(who: People) -> None:
        listed = await who.root.get("/v1/deliveries")
        assert [item["id"] for item in listed.json()["items"]] == [delivery_id]
        shown = await who.root.get(f"/v1/deliveries/{delivery_id}")
        assert shown.json()["status"] == "failed"
        assert shown.json()["tries"] == [
            {"number": 0, "at": "2026-03-02T12:00:00Z", "duration_s": 0.5, "code": 500, "error": "answered 500"}
        ]
        assert "hidden" not in listed.text + shown.text

    asked(rota, talk)


def test_a_delivery_is_replayed_once_it_is_over(rota: Rota) -> None:
    failed, waiting = add_delivery(rota), add_delivery(rota, "waiting")

    async def talk(who: People) -> None:
        reply = await who.root.post(f"/v1/deliveries/{failed}/replay")
        assert (reply.status_code, reply.json()["status"]) == (200, "waiting")
        assert (await who.root.post(f"/v1/deliveries/{waiting}/replay")).status_code == 409
        assert (await who.root.post("/v1/deliveries/none/replay")).status_code == 404

    asked(rota, talk)


def test_the_delivery_log_is_the_operators(rota: Rota) -> None:
    delivery_id = add_delivery(rota)

    async def talk(who: People) -> None:
        for path in ("/v1/deliveries", f"/v1/deliveries/{delivery_id}"):
            assert [(await each.get(path)).status_code for each in (who.owner, who.stranger, who.root)] == [403, 403, 200]
        assert (await who.owner.post(f"/v1/deliveries/{delivery_id}/replay")).status_code == 403

    asked(rota, talk)
