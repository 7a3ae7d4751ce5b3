"""Pipelines over the native API: what is checked when one is saved, and who may have which."""

from typing import Any

import pytest
from tests.asking import People, asked, new_run, new_task
from tests.core.test_pipeline_language import QUICK_START
from tests.store.test_steps import checkpoint

from rota.ops.context import Rota
from rota.outgoing import Guard, Outgoing
from rota.store import admission, steps
from rota.tools import McpServer, McpServers, Toolbox, build_tools


def pipeline(*steps_: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "pipeline", "steps": list(steps_), **more}


def test_a_pipeline_is_stored_and_shown_as_it_was_given(rota: Rota) -> None:
    async def talk(who: People) -> None:
        executor = pipeline(*QUICK_START, params={"user": "Ana"}, options={"typed_templates": True})
        task = await new_task(who.plain, executor=executor)
        assert task["executor"] == executor
        changed = await who.plain.patch("/v1/tasks/backup", json={"executor": pipeline({"uses": "noop"})})
        assert changed.json()["executor"] == pipeline({"uses": "noop"})

    asked(rota, talk)


@pytest.mark.parametrize(
    ("steps_", "place", "words"),
    [
        ([{"uses": "noop"}, {"uses": "http.request", "with": {"url": "${steps.x.y}"}}], "steps.1.with.url", "no step"),
        ([{"uses": "noop", "if": "a ="}], "steps.0.if", "Failed to evaluate condition"),
        ([{"uses": "noop", "id": "a"}, {"uses": "noop", "id": "a"}], "steps.1.id", "already"),
        ([{"uses": "telegram.send"}], "steps.0.uses", "there is no tool 'telegram.send'"),
        ([{"uses": "shell.run"}], "steps.0.uses", "there is no tool 'shell.run'"),
        ([{"with": {}}], "steps.0.uses", "is required"),
        ([{"uses": "noop", "wiht": 1}], "steps.0.wiht", "did you mean 'with'?"),
        ([{"uses": "noop", "timeout_seconds": 0}], "steps.0.timeout_seconds", "> 0"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_saved(rota: Rota, steps_: Any, place: str, words: str) -> None:
    async def talk(who: People) -> None:
        reply = await who.owner.post("/v1/tasks", json={"name": "p", "executor": pipeline(*steps_)})
        assert reply.status_code == 422, reply.text
        (problem, *_) = reply.json()["errors"]
        assert problem["location"] == f"body.executor.{place}"
        assert words in problem["message"]

    asked(rota, talk)


def test_a_script_in_a_pipeline_needs_the_right_and_the_operators_leave(rota: Rota) -> None:
    rota.tools = Toolbox(build_tools(Outgoing(Guard()), with_shell=True))

    async def talk(who: People) -> None:
        body = {"name": "p", "executor": pipeline({"uses": "shell.run", "with": {"script": "true"}})}
        codes = {name: (await getattr(who, name).post("/v1/tasks", json=body)).status_code for name in ("owner", "root", "plain")}
        assert codes == {"owner": 201, "root": 201, "plain": 422}

    asked(rota, talk)


def test_tools_of_configured_servers_are_known_and_unknown_ones_may_be_simulated(rota: Rota) -> None:
    async def talk(who: People) -> None:
        for name, uses, code in (("a", "mcp.files.read", 201), ("b", "mcp.other.read", 422), ("c", "mcp.files.", 422)):
            reply = await who.plain.post("/v1/tasks", json={"name": name, "executor": pipeline({"uses": uses})})
            assert reply.status_code == code, reply.text
        rota.tools = Toolbox(simulate_unknown=True)
        for options, code in (({}, 201), ({"unknown_tools": "fail"}, 422)):
            body = {"name": f"d{code}", "executor": pipeline({"uses": "telegram.send"}, options=options)}
            assert (await who.plain.post("/v1/tasks", json=body)).status_code == code

    rota.tools = Toolbox(build_tools(Outgoing(Guard())), [McpServers([McpServer(name="files", command=("true",))])])
    asked(rota, talk)


def test_finished_steps_are_shown_to_who_may_see_the_run(rota: Rota) -> None:
    async def talk(who: People) -> None:
        run = await new_run(who.plain, await new_task(who.plain, executor=pipeline({"uses": "noop"})))

        def finish(c: Any) -> None:
            (claimed,) = admission.claim_direct(c, [run["id"]], "node", rota.clock.now())
            steps.insert_step(c, run["id"], claimed.fence, checkpoint(output={"a": 1}))

        await rota.database.write(finish)
        for name, code in (("plain", 200), ("root", 200), ("stranger", 404), ("nobody", 401)):
            reply = await getattr(who, name).get(f"/v1/runs/{run['id']}/steps")
            assert reply.status_code == code
        (step,) = (await who.plain.get(f"/v1/runs/{run['id']}/steps")).json()["items"]
        assert (step["position"], step["name"], step["status"], step["output"]) == (0, "s0", "done", {"a": 1})

    asked(rota, talk)
