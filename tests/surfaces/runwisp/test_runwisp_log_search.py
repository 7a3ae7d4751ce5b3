"""Search in logs, and lines that were drawn over, over RunWisp's API."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.listening import Heard, listening
from tests.surfaces.runwisp.serving import described, serving

from rota.core.ulid import to_ulid
from rota.ops.context import Rota

# The pause keeps the order of the two pipes.
UNITS = r"""
[tasks.greet]
run = "echo hello; sleep 0.05; echo Hello again >&2; echo bye"
[tasks.bar]
run = '''
printf 'start\n 10%%'; printf '\r 50%%'
until [ -e go ]; do sleep 0.01; done
printf '\r100%%\ndone\n'
'''
"""


def test_lines_of_all_runs_are_found_newest_run_first(tmp_path: Path) -> None:
    async def talk() -> None:
        async with serving(tmp_path, UNITS) as place:
            first, second = await place.run("greet"), await place.run("greet")
            path = "/api/tasks/greet/log/search"
            page = await place.get(path, q="hello", limit=3)
            assert [(hit["run_id"], hit["stream"], hit["text"]) for hit in page["hits"]] == [
                (second["id"], "stdout", "hello"),
                (second["id"], "stderr", "Hello again"),
                (first["id"], "stdout", "hello"),
            ]
            assert (page["exhausted"], page["scanned_runs"]) == (False, 2)
            rest = await place.get(path, q="hello", cursor=page["next_cursor"])
            assert [hit["text"] for hit in rest["hits"]] == ["Hello again"]
            assert rest["exhausted"] is True
            assert "next_cursor" not in rest
            assert len((await place.get(path, q="Hello", case="true"))["hits"]) == 2
            assert len((await place.get(path, q="^b.e$", regex="true", run_id=first["id"]))["hits"]) == 1

    asyncio.run(talk())


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400), ({"q": ""}, 400), ({"q": "(", "regex": "true"}, 400), ({"q": "x", "limit": 0}, 422),
        ({"q": "x", "limit": 1001}, 422), ({"q": "x", "cursor": "x"}, 422), ({"q": "x", "run_id": "x"}, 422),
        ({"q": "x", "run_id": to_ulid("019505d0-0000-7000-8000-000000000001")}, 404),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused(rota: Rota, tmp_path: Path, query: dict[str, Any], status: int) -> None:
    async def talk() -> None:
        async with described(rota, tmp_path, UNITS) as place:
            reply = await place.client.get("/api/tasks/greet/log/search", params=query)
            assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
            assert (await place.client.get("/api/tasks/none/log/search", params={"q": "x"})).status_code == 404

    asyncio.run(talk())


def test_a_bar_is_live_then_a_line_with_a_history(tmp_path: Path) -> None:
    async def talk() -> None:
        async with serving(tmp_path, UNITS.replace("[tasks.bar]", f'[tasks.bar]\nworking_dir = "{tmp_path}"')) as place:
            run = await place.post("/api/tasks/bar/run")
            path = f"/api/tasks/bar/runs/{run['id']}/log"
            async with listening(place.app, f"{path}/stream") as listener:
                heard = await _until_region(listener)
                assert heard.data == {"stream": "stdout", "epoch": 1, "rows": [" 50%"]}
                (tmp_path / "go").touch()
                rest = [(each.kind, each.data.get("text", each.data.get("rows"))) for each in await listener.all()]
            assert [each for each in rest if each != ("region", ["100%"])] == [
                ("line", "100%"), ("line", "done"), ("region", []), ("done", None),
            ]  # fmt: skip
            lines = (await place.get(path))["lines"]
            assert [(line["text"], line.get("frame_count")) for line in lines] == [("start", None), ("100%", 3), ("done", None)]
            assert await place.get(f"{path}/line/1/history") == {"frames": [[" 10%"], [" 50%"], ["100%"]]}
            assert await place.get(f"{path}/line/0/history") == {"frames": []}
            statuses = [(await place.client.get(f"{path}/line/{n}/history")).status_code for n in ("3", "x", "-1")]
            assert statuses == [404, 422, 422]

    asyncio.run(talk())


async def _until_region(listener: Any) -> Heard:
    while True:
        heard = await listener.next()
        assert isinstance(heard, Heard)
        if heard.kind == "region" and heard.data["rows"] == [" 50%"]:
            return heard
