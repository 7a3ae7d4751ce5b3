"""Tasks that call a URL and judge the answer."""

import asyncio
from typing import Any

import pytest
from tests.agent_workbench import DENYING, AgentBench, Done
from tests.receivers import Answering, Receiver, answer, hang, receiving


def call(folder: Any, *script: Answering, path: str = "/", during: Any = None, **fields: Any) -> tuple[Done, Receiver]:
    async def work() -> tuple[Done, Receiver]:
        async with receiving(*script) as receiver:
            given = {"kind": "http", "url": f"{receiver.url}{path}", **fields.pop("work", {})}
            return await AgentBench(folder, given, **fields).carry_out_here(during=during), receiver

    return asyncio.run(asyncio.wait_for(work(), 20))


def test_the_answer_is_the_output_and_stands_in_the_log(tmp_path):
    done, receiver = call(tmp_path, answer(200, b"line one\nline two", content_type="text/plain"))
    assert done.outcome.state == "succeeded"
    assert (done.outcome.output["status"], done.outcome.output["body"]) == (200, "line one\nline two")
    assert done.outcome.output["headers"]["content-type"] == "text/plain"
    assert done.texts("stdout") == ["line one", "line two"]
    assert any(text.startswith("HTTP status 200") for text in done.texts("system"))
    assert receiver.received[0].headers["idempotency-key"]


def test_templates_are_filled_in_from_params_and_secrets(tmp_path):
    work = {
        "method": "POST",
        "headers": {"Authorization": "Bearer ${secrets.TOKEN}", "X-Number": "${params.n}"},
        "body": {"items": ["${params.who}"], "n": 3},
    }
    given = {"params": {"who": "Ana", "n": 7}, "secrets": {"TOKEN": "s3cret-s3cret"}}
    done, receiver = call(tmp_path, answer(200, b"you said s3cret-s3cret"), path="/to/${params.who}", work=work, **given)
    (request,) = receiver.received
    assert (request.path, request.body) == ("/to/Ana", b'{"items":["Ana"],"n":3}')
    assert (request.headers["authorization"], request.headers["x-number"]) == ("Bearer s3cret-s3cret", "7")
    assert request.headers["content-type"] == "application/json"
    assert done.outcome.output["body"] == "you said [redacted]"
    assert "s3cret" not in repr((done.lines, done.outcome))


def test_headers_that_are_no_secret_of_the_task_are_hidden_as_well(tmp_path):
    work = {"headers": {"X-Api-Key": "key-0123456789", "Accept": "text/plain"}}
    reply = answer(200, b"key-0123456789 text/plain", set_cookie="session=0123456789")
    done, _ = call(tmp_path, reply, work=work)
    assert done.outcome.output["body"] == "[redacted] text/plain"
    assert done.outcome.output["headers"]["set-cookie"] == "[redacted]"
    assert "0123456789" not in repr(done.lines)


@pytest.mark.parametrize(
    ("status", "expected", "state"),
    [
        (204, None, "succeeded"),
        (301, None, "failed"),
        (404, None, "failed"),
        (404, 404, "succeeded"),
        (200, 404, "failed"),
        (503, [200, 503], "succeeded"),
    ],
)
def test_the_status_decides(tmp_path, status, expected, state):
    done, _ = call(tmp_path, answer(status), work={} if expected is None else {"expect_status": expected})
    assert (done.outcome.state, done.outcome.output["status"], done.outcome.final) == (state, status, False)


def test_a_long_answer_is_cut(tmp_path):
    done, _ = call(tmp_path, answer(200, b"long line\n" * 200_000))
    assert (len(done.outcome.output["body"]), done.outcome.output["truncated"]) == (1024 * 1024, True)
    assert len(done.texts("stdout")) < 10_000
    assert "there was more of it" in done.texts("system")


@pytest.mark.parametrize(("source", "called"), [("api", 0), ("file", 1)])
def test_only_the_settings_file_may_name_a_private_target(tmp_path, source, called):
    done, receiver = call(tmp_path, answer(200), guard=DENYING, source=source)
    assert len(receiver.received) == called
    assert done.outcome.final == (not called)


def test_a_template_that_fails_calls_nobody(tmp_path):
    done, receiver = call(tmp_path, answer(200), work={"body": "${max(params)}"})
    assert (done.outcome.state, done.outcome.final, receiver.received) == ("failed", True, [])


def test_a_header_with_a_line_break_calls_nobody(tmp_path):
    done, receiver = call(tmp_path, answer(200), work={"headers": {"X-A": "${params.a}"}}, params={"a": "b\r\nc: d"})
    assert (done.outcome.state, receiver.received) == ("failed", [])


def test_a_call_ends_when_the_run_is_to_stop(tmp_path):
    async def ask(bench: AgentBench) -> None:
        bench.stop.ask("cancel")

    done, _ = call(tmp_path, hang, during=ask)
    assert (done.outcome.state, done.delivered) == ("canceled", 1)
