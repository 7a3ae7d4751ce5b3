"""Runs that this installation works on itself, as the settings say for their project."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.receivers import answer, receiving
from tests.running import running
from tests.surfaces.posthog.projects_asking import Client, People, people
from tests.surfaces.posthog.test_posthog_runs import at, new_run

from rota.ops.context import Rota
from rota.server import Source

pytestmark = pytest.mark.e2e

SCHEMA = {"type": "object", "required": ["said"]}


def worked(folder: Path, settings: str, talk: Callable[[People, Rota], Awaitable[None]]) -> None:
    """A server whose project 1 is worked on as these settings say."""
    (folder / "rota.toml").write_text(f"[[posthog.project]]\nid = 1\n{settings}\n")
    source = Source(folder / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(folder / "data")})

    async def serve() -> None:
        async with asyncio.timeout(20), running(source) as rota, people(rota) as who:
            await talk(who, rota)

    asyncio.run(serve())


async def ended(who: Client, run: dict[str, Any]) -> dict[str, Any]:
    """The run at the end of its stream."""
    await who.ask("GET", at(run, "/stream"))
    found: dict[str, Any] = await who.get(at(run))
    return found


async def said(who: Client, run: dict[str, Any], *levels: str) -> list[str]:
    text = (await who.ask("GET", at(run, "/logs"))).text
    told = [json.loads(line)["notification"]["params"] for line in text.splitlines()]
    return [params["message"] for params in told if params["level"] in levels]


def test_a_command_reads_the_prompt_and_writes_its_output(tmp_path: Path) -> None:
    command = """command = '''
cat; echo; echo "$GITHUB_TOKEN" >&2; cat "$ROTA_ATTACHMENTS/a.txt"; echo; echo "$OWN"
printf '{"said": "%s"}' "$ROTA_MODEL" > "$ROTA_OUTPUT"
'''
env = {OWN = "my-own-secret"}"""

    async def talk(who: People, _rota: Rota) -> None:
        task = await who.owner.task(description="Do it", json_schema=SCHEMA)
        asked = {"environment": "cloud", "runtime_adapter": "claude", "model": "m"}
        made = await who.owner.post(f"/tasks/{task['id']}/runs", asked, 201)
        files = [{"name": "a.txt", "type": "context", "content": "from a file"}]
        await who.owner.post(at(made, "/artifacts"), {"artifacts": files})
        await who.owner.post(at(made, "/start"), {"pending_user_message": "Now."})
        run = await ended(who.owner, made)
        assert (run["status"], run["output"], run["error_message"]) == ("completed", {"said": "m"}, None)
        assert await said(who.owner, run, "info") == ["Do it", "", "Now.", "from a file", "[redacted]"]

        with_token = await new_run(who.owner, task, github_user_token="ghs_hidden")
        assert (await ended(who.owner, with_token))["status"] == "failed"  # it has no such file
        text = (await who.owner.ask("GET", at(with_token, "/logs"))).text
        assert "a.txt" in text
        assert "ghs_hidden" not in text

    worked(tmp_path, command, talk)


def test_secrets_stand_in_no_output(tmp_path: Path) -> None:
    command = """command = 'printf "{\\"said\\": [\\"$OWN\\", \\"by $GITHUB_TOKEN\\"]}" > $ROTA_OUTPUT'
env = {OWN = "my-own-secret"}"""

    async def talk(who: People, _rota: Rota) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"), github_user_token="ghs_hidden")
        assert run["status"] == "queued"  # however soon the work begins
        assert (await ended(who.owner, run))["output"] == {"said": ["[redacted]", "by [redacted]"]}

    worked(tmp_path, command, talk)


def test_files_that_a_command_leaves_are_artifacts_of_the_run(tmp_path: Path) -> None:
    async def talk(who: People, _rota: Rota) -> None:
        run = await ended(who.owner, await new_run(who.owner, await who.owner.task(description="x")))
        (left,) = run["artifacts"]
        assert (left["name"], left["type"], left["source"], left["size"]) == ("report.md", "output", "run", 5)
        file = await who.owner.ask("POST", at(run, "/artifacts/download"), {"storage_path": left["storage_path"]})
        assert (file.status_code, file.text) == (200, "done\n")

    worked(tmp_path, "command = 'mkdir $ROTA_ARTIFACTS && echo done > $ROTA_ARTIFACTS/report.md'", talk)


def test_attachments_of_one_name_however_long_are_all_there(tmp_path: Path) -> None:
    async def talk(who: People, _rota: Rota) -> None:
        task = await who.owner.task(description="x")
        made = await who.owner.post(f"/tasks/{task['id']}/runs", {"environment": "cloud"}, 201)
        named = {"name": "ü" * 200 + ".txt", "type": "context"}
        await who.owner.post(at(made, "/artifacts"), {"artifacts": [{**named, "content": text} for text in ("one\n", "two\n")]})
        await who.owner.post(at(made, "/start"), {})
        run = await ended(who.owner, made)
        assert (run["status"], run["error_message"]) == ("completed", None)
        assert sorted(await said(who.owner, run, "info")) == ["one", "two"]

    worked(tmp_path, "command = 'cat $ROTA_ATTACHMENTS/*.txt'", talk)


def test_a_command_whose_output_does_not_fit_has_failed(tmp_path: Path) -> None:
    async def talk(who: People, _rota: Rota) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x", json_schema=SCHEMA))
        failed = await ended(who.owner, run)
        assert (failed["status"], failed["output"]) == ("failed", {})
        assert failed["error_message"] == "Output validation error: 'said' is a required property"

    worked(tmp_path, "command = 'echo {} > $ROTA_OUTPUT'", talk)


def test_the_repository_of_a_task_is_cloned_at_the_branch_of_the_run(tmp_path: Path) -> None:
    place = tmp_path / "git" / "acme" / "web.git"
    place.mkdir(parents=True)
    script = """git init -q -b main && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
git checkout -q -b next && echo hello > file && git add file && git -c user.name=a -c user.email=a@b commit -q -m second"""
    subprocess.run(["/bin/sh", "-ec", script], cwd=place, check=True)

    async def talk(who: People, _rota: Rota) -> None:
        task = await who.owner.task(description="x", repository="Acme/web")
        run = await ended(who.owner, await new_run(who.owner, task, branch="next"))
        assert await said(who.owner, run, "info") == ["hello"]
        for elsewhere in ("$(id)/`id`", "../git", "acme/%2e%2e", "./web"):
            evil = await who.owner.task(description="x", repository=elsewhere)
            failed = await ended(who.owner, await new_run(who.owner, evil))
            assert failed["error_message"] == f"the repository {elsewhere} is none that can be cloned"

    clone = f'clone = "{tmp_path}/git/{{repository}}.git"'
    worked(tmp_path, f"command = 'cat file'\n{clone}", talk)


def test_cancelling_ends_what_works_here(tmp_path: Path) -> None:
    async def talk(who: People, _rota: Rota) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await begun(who, run)
        await who.owner.post(at(run, "/cancel"), {"reason": "enough"}, 202)
        stopped = await ended(who.owner, run)
        assert (stopped["status"], stopped["error_message"]) == ("cancelled", "enough")

    worked(tmp_path, "command = 'sleep 60'", talk)


def test_what_works_here_ends_when_a_client_says_that_the_run_is_over(tmp_path: Path) -> None:
    async def talk(who: People, rota: Rota) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await begun(who, run)
        done = await who.owner.patch(at(run), {"status": "completed", "output": {"n": 1}})
        assert (done["status"], done["output"]) == ("completed", {"n": 1})
        await idle(rota)
        assert (await who.owner.get(at(run)))["status"] == "completed"
        await who.owner.post(at(run, "/append_log"), {"entries": [{"late": 1}]})
        assert (await who.owner.ask("GET", at(run, "/logs"))).text.splitlines()[-1] == '{"late":1}'

    worked(tmp_path, "command = 'sleep 60'", talk)


def test_a_run_that_goes_home_is_its_users(tmp_path: Path) -> None:
    async def talk(who: People, rota: Rota) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await begun(who, run)
        assert (await who.owner.patch(at(run), {"environment": "local"}))["environment"] == "local"
        await idle(rota)
        assert (await who.owner.get(at(run)))["status"] == "in_progress"
        assert (await who.owner.patch(at(run), {"status": "completed"}))["status"] == "completed"

    worked(tmp_path, "command = 'sleep 60'", talk)


def test_a_command_hears_what_it_is_told_while_it_works(tmp_path: Path) -> None:
    async def talk(who: People, _rota: Rota) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await begun(who, run)
        told = {"jsonrpc": "2.0", "id": 1, "method": "user_message", "params": {"content": "stop now"}}
        assert "result" in await who.owner.post(at(run, "/command"), told)
        heard = await ended(who.owner, run)
        assert (heard["status"], heard["output"]["notification"]["params"]["content"]) == ("completed", "stop now")

    script = "echo begun; while [ ! -s $ROTA_MESSAGES ]; do sleep 0.02; done; cp $ROTA_MESSAGES $ROTA_OUTPUT"
    worked(tmp_path, f"command = '{script}'", talk)


def test_a_run_of_which_nothing_comes_has_done_its_work(tmp_path: Path) -> None:
    async def talk(who: People, _rota: Rota) -> None:
        task = await who.owner.task(description="x")
        made = await who.owner.post(f"/tasks/{task['id']}/runs", {"environment": "cloud"}, 201)
        await who.owner.patch(at(made), {"state": {"inactivity_timeout_seconds": 0.2}})
        await who.owner.post(at(made, "/start"), {})
        run = await ended(who.owner, made)
        assert (run["status"], run["state"]["timed_out_inactivity"]) == ("completed", True)

    worked(tmp_path, "command = 'sleep 60'", talk)


def test_an_endpoint_can_do_the_work(tmp_path: Path) -> None:
    async def serve() -> None:
        async with receiving(answer(200, b'{"said": "hello"}')) as receiver:
            settings = f'executor = {{kind = "agent", url = "{receiver.url}/work"}}'
            (tmp_path / "rota.toml").write_text(f"[[posthog.project]]\nid = 1\n{settings}\n")
            source = Source(tmp_path / "rota.toml", {"PATH": "/usr/bin:/bin"}, {"server.data": str(tmp_path / "data")})
            async with running(source) as rota, people(rota) as who:
                run = await new_run(who.owner, await who.owner.task(description="Say hello", repository="acme/web"))
                done = await ended(who.owner, run)
                assert (done["status"], done["output"]) == ("completed", {"said": "hello"})
                params = json.loads(receiver.received[0].body)["params"]
                assert (params["prompt"], params["repository"]) == ("Say hello", "acme/web")

    asyncio.run(serve())


def test_a_project_has_no_more_runs_than_its_share(tmp_path: Path) -> None:
    async def talk(who: People, _rota: Rota) -> None:
        task = await who.owner.task(description="x")
        first = await new_run(who.owner, task)
        refused = await who.owner.ask("POST", f"/tasks/{task['id']}/run")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        await who.owner.post(at(first, "/cancel"), {}, 202)
        await new_run(who.owner, task)

    worked(tmp_path, "max_active_runs = 1", talk)


def test_a_worker_that_is_silent_loses_its_run(tmp_path: Path) -> None:
    async def talk(who: People, _rota: Rota) -> None:
        run = await new_run(who.owner, await who.owner.task(description="x"))
        await who.owner.patch(at(run), {"status": "in_progress"})
        lost = await ended(who.owner, run)
        assert (lost["status"], lost["error_message"]) == ("failed", "its worker was not heard from for 0.3 s")
        assert lost["completed_at"] is not None

    worked(tmp_path, "lease = '300ms'", talk)


async def begun(who: People, run: dict[str, Any]) -> None:
    async with asyncio.timeout(5):
        while (await who.owner.get(at(run)))["status"] != "in_progress":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def idle(rota: Rota) -> None:
    """Until nothing works here any more."""
    async with asyncio.timeout(10):
        while rota.vitals.running:
            rota.bus.wake("settler")
            await asyncio.sleep(0.02)
