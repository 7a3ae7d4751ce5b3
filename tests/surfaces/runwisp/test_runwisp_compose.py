"""Units of compose files over RunWisp's API (contract §4, §14); `docker` is a stand-in on the PATH."""

import asyncio
from pathlib import Path

import pytest
from tests.surfaces.runwisp.serving import described, serving

from rota.ops.context import Rota

COMPOSE_FILE = "services: {web: {image: nginx}, db: {image: postgres}}"
TOML = """
[compose.shop]
working_dir = "sub"
[compose.shop.web]
env = { COLOUR = "red" }
[compose.stack]
mode = "stack"
[tasks.dump]
compose_file = "compose.yaml"
compose_service = "db"
[tasks.plain]
run = "true"
"""


def test_the_compose_object_names_file_project_and_service(rota: Rota, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE_FILE)

    async def talk() -> None:
        async with described(rota, tmp_path, TOML) as place:
            shown = {task["name"]: task for task in await place.get("/api/tasks")}
        file = str(tmp_path / "compose.yaml")
        assert shown["shop.web"]["compose"] == {"file": file, "project_name": "shop", "service": "web"}
        assert shown["stack"]["compose"] == {"file": file, "project_name": "stack"}
        assert (shown["dump"]["kind"], shown["dump"]["compose"]["service"]) == ("task", "db")
        assert "compose" not in shown["plain"]
        web = shown["shop.web"]
        assert (web["kind"], web["restart"], web["instances"], web["group"]) == ("service", "on_failure", 1, "shop")
        assert (web["env"], web["working_dir"]) == ({"COLOUR": "red"}, str(tmp_path / "sub"))

    asyncio.run(talk())


@pytest.mark.parametrize(("has_docker", "end"), [(False, ("failed", -1)), (True, ("success", 0))])
def test_without_docker_a_unit_is_shown_and_its_runs_say_why_they_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_docker: bool, end: tuple[str, int]
) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE_FILE)
    if has_docker:
        (tmp_path / "docker").write_text('#!/bin/sh\necho "docker $*"\n')
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")

    async def talk() -> None:
        toml = '[tasks.dump]\ncompose_file = "compose.yaml"\ncompose_service = "db"\n'
        async with serving(tmp_path, toml) as place:
            assert (await place.get("/api/info"))["capabilities"] == [{"name": "docker", "available": has_docker}]
            run = await place.run("dump")
            assert (run["end_reason"], run["exit_code"]) == end
            said = [line["text"] for line in (await place.log(run))["lines"]]
            assert any(("run --rm" if has_docker else "there is no docker command") in text for text in said), said

    asyncio.run(talk())
