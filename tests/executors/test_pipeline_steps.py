"""Pipelines step by step: what is done once, what again, and what is told of it."""

import asyncio
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.core.test_pipeline_language import QUICK_START
from tests.pipeline_workbench import Bench, Done, tool

from rota.core.policy import Retry
from rota.tools import Call, ToolFault

NO_WAIT = Retry(delay_s=0.0)


def pipe(folder: Path, *steps: dict[str, Any], attempts: int = 1, during: Any = None, **fields: Any) -> Done:
    return Bench(folder, steps, **fields).carry_out(attempts=attempts, during=during)


def failing(times: int, kind: Any = "ToolFailed") -> Any:
    """A call that fails so many times, and then answers how often it was made."""
    calls = count(1)

    def call(_: Call) -> Any:
        number = next(calls)
        if number <= times:
            raise ToolFault(f"no {number}", kind)
        return {"calls": number}

    return call


def test_the_quick_start_pipeline_does_what_it_says(tmp_path):
    done = pipe(tmp_path, *QUICK_START, params={"user": "Ana"})
    output = done.outcome.output
    assert done.outcome.state == "succeeded"
    assert output["steps"]["greeting"] == {"message": "Hello, Ana!", "details": {"timestamp": output["now"]}}
    assert f"Step 1 said: 'Hello, Ana!' at {output['now']}" in done.texts
    assert [(each.name, each.status) for each in done.steps] == [("get", "done"), ("say", "done"), ("warn", "skipped")]
    assert (done.summary["executed_steps"], done.summary["skipped_steps"], done.summary["success"]) == (2, 1, True)


def test_each_finished_step_is_measured_and_a_skipped_one_is_not(tmp_path):
    bench = Bench(tmp_path, QUICK_START, params={"user": "Ana"})
    bench.carry_out()
    assert len(bench.took_s) == 2
    assert all(took_s >= 0 for took_s in bench.took_s)


def test_an_empty_pipeline_succeeds(tmp_path):
    assert pipe(tmp_path).outcome.state == "succeeded"


def test_a_failure_keeps_what_was_done_and_ends_the_attempt(tmp_path):
    done = pipe(
        tmp_path,
        {"uses": "debug.echo", "with": {"a": 1}, "save_as": "first"},
        {"id": "bad", "uses": "breaks"},
        {"uses": "debug.log", "with": {"message": "never"}},
        tools=[tool("breaks", failing(9))],
    )
    assert (done.outcome.state, done.outcome.error, done.outcome.final) == ("failed", "no 1", False)
    assert done.outcome.output["steps"] == {"first": {"a": 1}}
    assert done.outcome.output["success"] is False
    assert done.summary["failed_step_id"] == "bad"
    assert (done.summary["failed_step_index"], done.summary["error_type"]) == (1, "ToolFailed")
    assert "never" not in done.texts


def test_a_further_attempt_goes_on_behind_the_last_finished_step(tmp_path):
    calls: list[str] = []

    def count_calls(call: Call) -> Any:
        calls.append(call.key)
        return {"n": len(calls)}

    done = pipe(
        tmp_path,
        {"uses": "once", "save_as": "one"},
        {"uses": "noop", "if": "steps.one.n == 2"},
        {"uses": "flaky", "save_as": "two"},
        {"uses": "debug.echo", "with": {"n": "${steps.one.n}"}, "save_as": "three"},
        tools=[tool("once", count_calls), tool("flaky", failing(2))],
        attempts=3,
    )
    assert done.outcome.state == "succeeded"
    assert len(calls) == 1
    assert done.outcome.output["steps"] == {"one": {"n": 1}, "two": {"calls": 3}, "three": {"n": "1"}}
    assert (done.summary["executed_steps"], done.summary["skipped_steps"]) == (3, 1)
    assert "goes on behind step_1: 2 of 4 steps are done" in done.texts


def test_a_step_is_tried_again_inside_the_attempt_with_one_key(tmp_path):
    keys: list[str] = []
    attempt = failing(2)

    def call(asked: Call) -> Any:
        keys.append(asked.key)
        return attempt(asked)

    done = pipe(tmp_path, {"uses": "flaky", "max_retries": 2, "save_as": "x"}, tools=[tool("flaky", call)], retry=NO_WAIT)
    assert done.outcome.output["steps"]["x"] == {"calls": 3}
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert "no 1; retry 1 of 2 in 0 s" in done.texts


def test_each_step_of_each_run_has_a_key_of_its_own(tmp_path):
    keys: list[str] = []
    note = tool("note", lambda call: keys.append(call.key))
    for _ in range(2):
        pipe(tmp_path, {"uses": "note"}, {"uses": "note"}, tools=[note])
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("kind", "is_final"),
    [
        ("ToolNotFound", True),
        ("InputValidationError", True),
        ("PermissionDenied", True),
        ("ToolTimeout", False),
        ("ToolFailed", False),
    ],
)
def test_only_some_failures_are_worth_another_try(tmp_path, kind, is_final):
    done = pipe(tmp_path, {"uses": "x", "max_retries": 1}, tools=[tool("x", failing(1, kind))], retry=NO_WAIT)
    assert (done.outcome.state == "failed") is is_final
    assert done.outcome.final is is_final


@pytest.mark.parametrize(
    ("step", "error_type", "is_final", "words"),
    [
        ({"uses": "no.such"}, "ToolNotFound", True, "there is no tool no.such"),
        ({"uses": "echo.test", "with": {}}, "InputValidationError", True, "'message' is a required property"),
        ({"uses": "debug.echo", "with": {"x": "${max(params)}"}}, "TemplateRenderError", False, "Step 'step_0' template"),
        ({"uses": "debug.echo", "if": "max(params)"}, "ConditionError", False, "Failed to evaluate condition 'max(params)'"),
        ({"uses": "odd"}, "OutputValidationError", False, "answered what it should not"),
        ({"uses": "unwritable"}, "OutputValidationError", False, "not JSON"),
        ({"uses": "raises"}, "ToolFailed", False, "ZeroDivisionError"),
        ({"uses": "shell.run", "with": {"script": "exit 3"}}, "ToolFailed", False, "exit code 3"),
    ],
)  # fmt: skip
def test_every_failure_has_its_type(tmp_path, step, error_type, is_final, words):
    tools = [
        tool("odd", lambda _: {"a": 1}, output_schema={"type": "array"}),
        tool("unwritable", lambda _: object()),
        tool("raises", lambda _: 1 / 0),
    ]
    done = pipe(tmp_path, step, tools=tools)
    assert (done.outcome.state, done.outcome.final, done.summary["error_type"]) == ("failed", is_final, error_type)
    assert words in str(done.outcome.error)


def test_a_tool_that_takes_too_long_is_cancelled(tmp_path):
    cancelled: list[bool] = []

    async def hangs(_: Call) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    done = pipe(tmp_path, {"uses": "hangs", "timeout_seconds": 0.05}, tools=[tool("hangs", hangs)])
    assert (done.summary["error_type"], done.outcome.error) == ("ToolTimeout", "no answer within 0.05 s")
    assert cancelled == [True]


def test_a_script_that_takes_too_long_is_ended_with_all_its_processes(tmp_path):
    script = "sleep 60 & echo $!; trap '' TERM; wait; wait"
    done = pipe(tmp_path, {"uses": "shell.run", "with": {"script": script}, "timeout_seconds": 0.2})
    assert done.summary["error_type"] == "ToolTimeout"
    (pid,) = [text for text in done.texts if text.isdecimal()]
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_script_is_logged_and_its_output_kept(tmp_path):
    script = 'echo "out $WHO"; echo err >&2; echo "$ROTA_IDEMPOTENCY_KEY" >&2; exit 4'
    with_ = {"script": script, "env": {"WHO": "${params.who}"}, "exit_codes": [4]}
    done = pipe(tmp_path, {"uses": "shell.run", "with": with_, "save_as": "sh"}, params={"who": "Ana"})
    output = done.outcome.output["steps"]["sh"]
    assert (output["exit_code"], output["stdout"]) == (4, "out Ana\n")
    assert output["stderr"].startswith("err\n")
    assert output["stderr"].endswith(".0\n")
    assert {"out Ana", "err"} <= set(done.texts)


def test_a_secret_that_a_script_prints_is_not_in_its_output(tmp_path):
    step = {"uses": "shell.run", "with": {"script": 'echo "key $TOKEN"'}, "save_as": "sh"}
    done = pipe(tmp_path, step, secrets={"TOKEN": "s3cret-s3cret"})
    assert done.outcome.output["steps"]["sh"]["stdout"] == "key [redacted]\n"


@pytest.mark.parametrize(
    ("cause", "state", "error_type"),
    [("cancel", "canceled", "Canceled"), ("timeout", "timed_out", "TimedOut"), ("stop", "stopped", "Stopped")],
)
def test_a_stop_ends_the_running_tool_and_keeps_what_was_done(tmp_path, cause, state, error_type):
    async def ask(bench: Bench) -> None:
        bench.stop.ask(cause)

    done = pipe(
        tmp_path,
        {"uses": "noop", "save_as": "a"},
        {"uses": "hangs"},
        {"uses": "noop"},
        tools=[tool("hangs", started := Hanging())],
        during=lambda bench: started.then(lambda: ask(bench)),
    )
    assert (done.outcome.state, done.summary["error_type"], done.summary["failed_step_index"]) == (state, error_type, 1)
    assert done.outcome.output["steps"] == {"a": {}}
    assert done.delivered == 1
    assert started.was_cancelled


def test_a_stop_while_it_waits_to_try_again_ends_it(tmp_path):
    async def ask(bench: Bench) -> None:
        bench.stop.ask("cancel")

    broken = tool("broken", failing(99))
    slow = Retry(delay_s=60.0)
    done = pipe(tmp_path, {"uses": "broken", "max_retries": 5}, tools=[broken], retry=slow, during=ask)
    assert done.outcome.state == "canceled"


def test_a_stop_of_the_server_is_no_end(tmp_path):
    async def ask(bench: Bench) -> None:
        bench.stop.ask("shutdown")

    for resumes, state in ((None, "crashed"), (False, "stopped")):
        hanging = Hanging()
        bench = Bench(tmp_path, [{"uses": "hangs"}], tools=[tool("hangs", hanging)], resume_after_crash=resumes)
        done = bench.carry_out(during=partial(_when, hanging, ask))
        assert (done.outcome.state, done.outcome.reason) == (state, "shutdown")


def test_unknown_tools_are_simulated_only_where_both_settings_and_pipeline_let_them(tmp_path):
    bench = Bench(tmp_path, [{"uses": "telegram.send", "with": {"to": "${params.to}"}, "save_as": "sent"}], params={"to": "Ana"})
    bench._tools._simulate = True
    sent = bench.carry_out().outcome.output["steps"]["sent"]
    assert (sent["status"], sent["tool_address"], sent["input_args"]) == ("simulated", "telegram.send", {"to": "Ana"})
    strict = Bench(tmp_path, [{"uses": "telegram.send"}], work={"options": {"unknown_tools": "fail"}})
    strict._tools._simulate = True
    assert strict.carry_out().summary["error_type"] == "ToolNotFound"


async def _when(hanging: "Hanging", act: Any, bench: Bench) -> None:
    await hanging.then(lambda: act(bench))


class Hanging:
    """A call that never answers."""

    def __init__(self) -> None:
        self._started = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self, _: Call) -> None:
        self._started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise

    async def then(self, act: Any) -> None:
        """Do something once it has begun."""
        await self._started.wait()
        await act()
