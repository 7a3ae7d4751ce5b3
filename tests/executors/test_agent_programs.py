"""Agents that are a program or a URL: what they are given, and what they give back."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.agent_workbench import DENYING, AgentBench, Done
from tests.receivers import Answering, Receiver, answer, hang, receiving, reset


async def begun_in(folder: Path) -> None:
    """Returns when the program has said so."""
    while not list(folder.glob("workspaces/*/work/begun")):  # noqa: ASYNC110, ASYNC240  another process says so
        await asyncio.sleep(0.01)


def command(folder: Any, command: Any, **fields: Any) -> AgentBench:
    work: dict[str, Any] = {name: fields.pop(name) for name in ("env", "working_dir", "variables") if name in fields}
    return AgentBench(folder, {"kind": "agent", "command": command, **work}, **fields)


def test_a_program_reads_the_run_and_its_params_and_writes_what_it_gives_back(tmp_path):
    done = command(tmp_path, ["/bin/sh", "-c", 'cat >"$ROTA_OUTPUT"'], variables={"a": 1, "b": 1}, params={"b": [2]}).carry_out()
    assert done.outcome.state == "succeeded"
    assert done.outcome.output["params"] == {"a": 1, "b": [2]}
    run = done.outcome.output["run"]
    assert (run["task"], run["attempt"]) == ("agent", 1)


def test_a_script_is_one_too(tmp_path):
    script = 'read -r line; echo "$ROTA_PARAM_WHO $GREETING"; test -n "$line"; echo plain words >"$ROTA_OUTPUT"'
    done = command(tmp_path, script, params={"who": "Ana"}, env={"GREETING": "hello"}).carry_out()
    assert (done.outcome.state, done.outcome.output) == ("succeeded", "plain words\n")
    assert done.texts("stdout") == ["Ana hello"]


def test_a_program_has_a_folder_of_its_own_that_is_gone_afterwards(tmp_path):
    done = command(tmp_path, "pwd; echo x >kept; ls; test -O . && stat -c %a ..").carry_out()
    folder, *listed = done.texts("stdout")
    assert listed == ["kept", "700"]
    assert folder.startswith(str(tmp_path / "workspaces"))
    assert list((tmp_path / "workspaces").iterdir()) == []


def test_the_data_directory_may_be_told_from_where_the_server_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command(Path(), 'cat >"$ROTA_OUTPUT"').carry_out()
    assert (done.outcome.state, done.outcome.output["params"]) == ("succeeded", {})


def test_a_program_may_work_in_a_folder_that_is_there(tmp_path):
    done = command(tmp_path, "pwd", working_dir=str(tmp_path)).carry_out()
    assert done.texts("stdout") == [str(tmp_path)]
    assert tmp_path.exists()


def test_what_a_program_that_was_killed_with_its_server_has_left_is_swept_away(tmp_path):
    left = tmp_path / "workspaces" / "old" / "work"
    left.mkdir(parents=True)
    assert command(tmp_path, "true").carry_out().outcome.state == "succeeded"
    assert not left.exists()


def test_the_exit_code_decides_and_output_stays(tmp_path):
    done = command(tmp_path, 'echo "{\\"half\\": true}" >"$ROTA_OUTPUT"; exit 3').carry_out()
    assert (done.outcome.state, done.outcome.exit_code, done.outcome.output) == ("failed", 3, {"half": True})


def test_a_program_that_is_not_there_cannot_start(tmp_path):
    done = command(tmp_path, ["/no/such/program"]).carry_out()
    assert (done.outcome.state, done.outcome.exit_code) == ("failed", 127)


def test_a_program_is_stopped_with_all_its_children(tmp_path):
    async def ask(bench: AgentBench) -> None:
        await begun_in(tmp_path)
        bench.stop.ask("cancel")

    done = command(tmp_path, "touch begun; sleep 60 & wait").carry_out(during=ask)
    assert (done.outcome.state, done.delivered) == ("canceled", 1)


def test_secrets_are_variables_and_stand_in_no_output(tmp_path):
    done = command(tmp_path, 'echo "\\"$TOKEN\\"" >"$ROTA_OUTPUT"', secrets={"TOKEN": "s3cret-s3cret"}).carry_out()
    assert done.outcome.output == "[redacted]"


def behind_url(folder: Any, *script: Answering, during: Any = None, **fields: Any) -> tuple[Done, Receiver]:
    async def work() -> tuple[Done, Receiver]:
        async with receiving(*script) as receiver:
            given = {"kind": "agent", "url": f"{receiver.url}/work", **fields.pop("work", {})}
            return await AgentBench(folder, given, **fields).carry_out_here(during=during), receiver

    return asyncio.run(asyncio.wait_for(work(), 20))


def test_a_url_is_sent_the_run_and_answers_with_its_output(tmp_path):
    given = {"headers": {"Authorization": "Bearer tok-0123456789"}, "variables": {"a": 1}}
    done, receiver = behind_url(tmp_path, answer(200, b'{"answer": 42}'), work=given, params={"b": 2})
    assert (done.outcome.state, done.outcome.output) == ("succeeded", {"answer": 42})
    (request,) = receiver.received
    assert (request.path, request.headers["authorization"]) == ("/work", "Bearer tok-0123456789")
    sent = json.loads(request.body)
    assert sent["params"] == {"a": 1, "b": 2}
    assert request.headers["idempotency-key"] == sent["run"]["id"]
    assert "tok-0123456789" not in repr((done.lines, done.outcome))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(500, b"{}"), "HTTP status 500"),
        (answer(200, b"hello"), "the answer is not JSON"),
        (reset, "the "),
    ],
)
def test_a_url_that_does_not_answer_well_has_failed(tmp_path, reply, error):
    done, _ = behind_url(tmp_path, reply)
    assert (done.outcome.state, done.outcome.final) == ("failed", False)
    assert error in (done.outcome.error or "")


@pytest.mark.parametrize(("source", "state"), [("api", "failed"), ("file", "succeeded")])
def test_only_the_settings_file_may_name_a_private_url(tmp_path, source, state):
    done, receiver = behind_url(tmp_path, answer(200, b"1"), guard=DENYING, source=source)
    assert (done.outcome.state, len(receiver.received)) == (state, int(state == "succeeded"))
    assert done.outcome.final == (state == "failed")


def test_a_call_is_broken_off_when_the_run_is_to_stop(tmp_path):
    async def ask(bench: AgentBench) -> None:
        bench.stop.ask("timeout")

    done, _ = behind_url(tmp_path, hang, during=ask)
    assert (done.outcome.state, done.delivered) == ("timed_out", 1)
