"""`rota deliveries`: the log of what was told, and telling it again."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from tests.factories import NOON, at

from rota.cli.place import Place
from rota.cli.storage import open_rota
from rota.core.delivery import Delivery, Sent
from rota.store import outbox
from rota.store.database import Connection

Call = Callable[..., Result]
Told = Callable[..., Any]


def add_delivery(run_id: str | None = None) -> str:
    """One that failed at its second try."""
    with open_rota(Place(), create=True) as rota:
        delivery = Delivery(
            id=rota.ids.new(), lane="a", target="ops", address={"notifier": "ops"}, body={}, created_at=NOON, due_at=NOON,
            give_up_at=at(60), run_id=run_id, attempts=2,
        )  # fmt: skip

        def write(c: Connection) -> None:
            outbox.insert_deliveries(c, [delivery])
            outbox.record_try(c, delivery, Sent(code=500, error="answered 500"), at(1), 0.25)
            outbox.end_delivery(c, delivery.id, "failed", at(1), "answered 500")

        rota.database.run(write)
    return delivery.id


@pytest.fixture(params=["server up", "server down"])
def way(request: pytest.FixtureRequest) -> str:
    """The tests that ask for it run both ways."""
    if request.param == "server up":
        request.getfixturevalue("server")
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_deliveries_are_listed_newest_first_and_by_run(call: Call, told: Told, world: Any) -> None:
    run = world.run(world.task("backup"))
    first, second = add_delivery(run.id), add_delivery()
    assert [item["id"] for item in told("deliveries", "list", "--json")["items"]] == [second, first]
    assert [item["id"] for item in told("deliveries", "list", "--json", "--run", "backup")["items"]] == [first]
    head, row = [line.split() for line in call("deliveries", "list", "-n", "1").stdout.splitlines()]
    assert head == ["DELIVERY", "TARGET", "STATUS", "TRIES", "WRITTEN", "ERROR"]
    assert row == [second, "ops", "failed", "2", "2026-03-02T12:00:00Z", "answered", "500"]


@pytest.mark.usefixtures("way")
def test_a_delivery_is_shown_with_its_tries(call: Call, told: Told) -> None:
    delivery_id = add_delivery()
    assert told("deliveries", "show", delivery_id, "--json")["tries"][0]["code"] == 500
    shown = call("deliveries", "show", delivery_id).stdout.splitlines()
    assert shown[-1].split() == ["2", "2026-03-02T12:00:01Z", "0.250", "500", "answered", "500"]
    assert call("deliveries", "show", "none").exit_code == 2


@pytest.mark.usefixtures("server")
def test_a_delivery_is_sent_again(call: Call, told: Told) -> None:
    delivery_id = add_delivery()
    assert call("deliveries", "replay", delivery_id).stdout == f"{delivery_id} is sent to ops\n"
    assert told("deliveries", "show", delivery_id, "--json")["status"] == "waiting"
    assert call("deliveries", "replay", delivery_id).exit_code == 1


def test_sending_again_needs_a_server(call: Call) -> None:
    assert call("deliveries", "replay", add_delivery()).exit_code == 3
