"""GET /v1/runs/{id}/log, and its stream."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from tests.asking import People, asked, new_run, new_task
from tests.listening import listening
from tests.surfaces.native.test_native_runs import begin, end

from rota.core.policy import LogLimit
from rota.logs import LogName, LogWriter
from rota.ops.context import Rota
from rota.runners.growth import LogGrowth
from rota.surfaces import native


def writer_of(rota: Rota, run: dict[str, Any]) -> LogWriter:
    name = LogName("backup", datetime.fromisoformat(run["created_at"]), run["id"])
    growth = rota.growth
    notify = (lambda: growth.notify(run["id"])) if isinstance(growth, LogGrowth) else None
    return rota.logs.writer(name, LogLimit(), on_growth=notify)


def write(rota: Rota, run: dict[str, Any], lines: int) -> None:
    writer = writer_of(rota, run)
    writer.write("stdout", "".join(f"line {number}\n" for number in range(lines)).encode(), 1000)
    writer.finalize(1000)


async def begun_run(rota: Rota, who: People) -> dict[str, Any]:
    run = await new_run(who.owner, await new_task(who.owner))
    begin(rota, run["id"])
    return run


def test_a_page_has_lines_with_number_time_and_stream(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await begun_run(rota, who)
        write(rota, run, 10)
        page = (await who.owner.get(f"/v1/runs/{run['id']}/log?from=2&limit=3")).json()
        assert [line["text"] for line in page["lines"]] == ["line 2", "line 3", "line 4"]
        line = {"n": 2, "at": "1970-01-01T00:00:01Z", "stream": "stdout", "text": "line 2", "continued": False}
        assert page["lines"][0] == line
        assert (page["first_available"], page["total_lines"], page["finalized"]) == (0, 10, True)
        tail = (await who.owner.get(f"/v1/runs/{run['id']}/log?from=-2")).json()
        assert [line["n"] for line in tail["lines"]] == [8, 9]

    asked(rota, talk)


def test_the_log_of_a_run_that_never_started_is_empty_and_final(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.owner, await new_task(who.owner))
        path = f"/v1/runs/{run['id']}/log"
        assert (await who.owner.get(path)).json()["finalized"] is False
        await who.owner.post(f"/v1/runs/{run['id']}/cancel")
        assert (await who.owner.get(path)).json()["finalized"] is True
        async with listening(native.control_app(rota), f"{path}/stream") as stream:
            assert [(heard.kind, heard.data["state"]) for heard in await stream.all()] == [("done", "canceled")]

    asked(rota, talk)


def test_a_stream_ends_with_the_state_of_the_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await begun_run(rota, who)
        write(rota, run, 2500)
        end(rota, run["id"], "failed")
        async with listening(native.control_app(rota), f"/v1/runs/{run['id']}/log/stream") as stream:
            heard = await stream.all()
        assert [each.id for each in heard[:-1]] == [str(number) for number in range(2500)]
        assert heard[7].data["text"] == "line 7"
        assert (heard[-1].kind, heard[-1].data) == ("done", {"run_id": run["id"], "state": "failed"})

    asked(rota, talk)


@pytest.mark.parametrize(
    ("query", "headers"), [("", {"last_event_id": "6"}), ("?from=7", {}), ("?from=0", {"last_event_id": "6"})]
)
def test_a_stream_goes_on_behind_the_last_line_a_client_has(rota: Rota, query: str, headers: dict[str, str]) -> None:
    async def talk(who: People) -> None:
        run = await begun_run(rota, who)
        write(rota, run, 10)
        end(rota, run["id"])
        async with listening(native.control_app(rota), f"/v1/runs/{run['id']}/log/stream{query}", **headers) as stream:
            assert [heard.id for heard in await stream.all()] == ["7", "8", "9", None]

    asked(rota, talk)


def test_lines_arrive_while_they_are_written(rota: Rota) -> None:
    rota.growth = LogGrowth()

    async def talk(who: People) -> None:
        run = await begun_run(rota, who)
        writer = writer_of(rota, run)
        async with listening(native.control_app(rota), f"/v1/runs/{run['id']}/log/stream") as stream:
            for number in range(3):
                writer.write("stderr", b"now\n", 1000)
                heard = await asyncio.wait_for(stream.next(), 5)
                assert heard is not None
                assert (heard.id, heard.data["stream"]) == (str(number), "stderr")
            writer.finalize(1000)
            end(rota, run["id"])
            heard = await asyncio.wait_for(stream.next(), 5)
            assert heard is not None
            assert heard.kind == "done"

    asked(rota, talk)


def test_a_follower_that_leaves_is_forgotten(rota: Rota) -> None:
    growth = rota.growth = LogGrowth()

    async def talk(who: People) -> None:
        run = await begun_run(rota, who)
        async with listening(native.control_app(rota), f"/v1/runs/{run['id']}/log/stream"):
            pass
        assert not growth._followers

    asked(rota, talk)


def test_a_stream_of_another_owners_run_does_not_begin(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await begun_run(rota, who)
        assert (await who.stranger.get(f"/v1/runs/{run['id']}/log/stream")).status_code == 404
        wrong = await who.owner.get(f"/v1/runs/{run['id']}/log/stream", headers={"Last-Event-ID": "x"})
        assert wrong.json()["errors"][0]["location"] == "header.Last-Event-ID"

    asked(rota, talk)
