"""GET /v1/tasks/{id}/next and /slots."""

import pytest
from tests.asking import People, asked, new_task
from tests.factories import NOON

from rota.core.slot import Slot
from rota.ops.context import Rota
from rota.store import slots, tasks
from rota.store.slots import NewSlot
from rota.store.tasks import Cursor

BERLIN = {"kind": "cron", "expr": "30 2 * * *", "timezone": "Europe/Berlin"}


def record(rota: Rota, *recorded: Slot) -> None:
    rows = [NewSlot(slot.task_id, slot.nominal_at, slot.run_id, slot.outcome, slot.reason) for slot in recorded]
    rota.database.run(lambda c: slots.insert_slots(c, rows))


def test_the_next_moments_are_told_in_both_times_with_a_note(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=BERLIN)
        items = (await who.owner.get("/v1/tasks/backup/next?count=2&after=2026-03-28T12:00:00Z")).json()["items"]
        assert items == [
            {"at": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00", "note": "dst_gap"},
            {"at": "2026-03-30T00:30:00Z", "local": "2026-03-30T02:30:00+02:00", "note": None},
        ]

    asked(rota, talk)


def test_ten_are_told_unless_asked_otherwise(rota: Rota) -> None:
    async def talk(who: People) -> None:
        await new_task(who.owner, schedule=BERLIN)
        assert len((await who.owner.get("/v1/tasks/backup/next")).json()["items"]) == 10
        assert len((await who.owner.get("/v1/tasks/backup/next?count=1000")).json()["items"]) == 1000
        for query in (
            "count=0",
            "count=1001",
            "after=yesterday",
            "after=2026-03-01T00:00:00",
            "after=0001-01-01T00:00:00%2B14:00",
        ):
            assert (await who.owner.get(f"/v1/tasks/backup/next?{query}")).status_code == 422, query

    asked(rota, talk)


def test_slots_are_newest_first_and_paged(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await new_task(who.owner, schedule=BERLIN))["id"]
        days = [NOON.replace(day=day) for day in range(3, 10)]
        record(rota, *(Slot(task_id=task_id, nominal_at=day, outcome="missed", reason="downtime") for day in days))
        first = (await who.owner.get("/v1/tasks/backup/slots?limit=4")).json()
        second = (await who.owner.get(f"/v1/tasks/backup/slots?limit=4&cursor={first['next_cursor']}")).json()
        found = [slot["nominal_at"] for slot in first["items"] + second["items"]]
        assert found == [f"2026-03-0{day}T12:00:00Z" for day in range(9, 2, -1)]
        assert second["next_cursor"] is None
        assert first["items"][0] == {
            "nominal_at": "2026-03-09T12:00:00Z",
            "outcome": "missed",
            "run_id": None,
            "reason": "downtime",
        }

    asked(rota, talk)


@pytest.mark.parametrize(
    ("at", "outcome", "reason"),
    [
        ("2026-03-03T12:00:00Z", "missed", "downtime"),
        ("2026-03-03T13:00:00%2B01:00", "missed", "downtime"),
        ("2026-03-05T02:30:00Z", None, "not_due_yet"),
        ("2026-03-05T02:31:00Z", None, "not_a_slot"),
        ("2026-03-01T02:30:00Z", None, "before_task"),
    ],
)
def test_one_instant_is_explained(rota: Rota, at: str, outcome: str | None, reason: str) -> None:
    async def talk(who: People) -> None:
        task_id = (await new_task(who.owner, schedule={**BERLIN, "timezone": None}))["id"]
        record(rota, Slot(task_id=task_id, nominal_at=NOON.replace(day=3), outcome="missed", reason="downtime"))
        [slot] = (await who.owner.get(f"/v1/tasks/backup/slots?at={at}")).json()["items"]
        assert (slot["outcome"], slot["reason"]) == (outcome, reason)

    asked(rota, talk)


def test_a_task_without_a_clock_has_no_slots(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task = await new_task(who.owner)
        [slot] = (await who.owner.get("/v1/tasks/backup/slots?at=2026-03-05T02:30:00Z")).json()["items"]
        assert slot["reason"] == "no_schedule"
        assert (await who.owner.get(f"/v1/tasks/{task['id']}/next")).json() == {"items": []}

    asked(rota, talk)


def test_a_slot_the_cursor_passed_in_a_pause_says_so(rota: Rota) -> None:
    async def talk(who: People) -> None:
        task_id = (await new_task(who.owner, schedule=BERLIN))["id"]
        rota.database.run(lambda c: tasks.update_cursors(c, [Cursor(task_id, NOON.replace(day=9), None)]))
        [slot] = (await who.owner.get("/v1/tasks/backup/slots?at=2026-03-05T01:30:00Z")).json()["items"]
        assert slot["reason"] == "task_paused"

    asked(rota, talk)
