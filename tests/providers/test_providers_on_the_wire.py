"""Providers of language models against servers that speak as the real ones do, well and badly."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct, field
from tests.model_servers import anthropic, dribble, openai, prediction, refuses, streams
from tests.receivers import Answering, Receiver, answer, hang, receiving, reset

from rota.outgoing import Guard, Outgoing
from rota.providers import Asked, Completion, Provider, ProviderFault, ToolResult, ToolSpec, ToolUse, Turn
from rota.providers.anthropic import Anthropic
from rota.providers.openai import OpenAI
from rota.providers.replicate import Replicate
from rota.providers.wire import Wire

KEY = "sk-key-0123456789"
MAKERS: dict[str, Callable[[Wire], Provider]] = {
    "anthropic": Anthropic,
    "openai": OpenAI,
    "replicate": lambda wire: Replicate(wire, look_s=0.0),
}


def told(kind: str, *words: str) -> Answering:
    """That answer, as the service sends it."""
    if kind == "replicate":
        return prediction("succeeded", list(words), metrics={"input_token_count": 7, "output_token_count": 12})
    return streams(*(anthropic if kind == "anthropic" else openai)(*words))


class Heard(Struct):
    """What came of a question, and what was said meanwhile."""

    receiver: Receiver
    answer: Completion | None = None
    fault: ProviderFault | None = None
    words: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sent(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.receiver.received[0].body)
        return found


def ask(kind: str, *script: Answering, wire: dict[str, Any] | None = None, **fields: Any) -> Heard:
    async def work() -> Heard:
        outgoing = Outgoing(Guard("deny"))
        async with receiving(*script) as receiver:
            heard = Heard(receiver)
            given = {"max_retries": 0, "first_wait_s": 0.0, "timeout_s": 5.0, **(wire or {})}
            provider = MAKERS[kind](Wire(name=kind, outgoing=outgoing, base_url=receiver.url, **given))
            asked = {"model": "owner/model", "turns": [Turn(role="user", text="Hello?")], "apikey": KEY, **fields}
            try:
                heard.answer = await provider.complete(Asked(**asked, on_text=heard.words.append, note=heard.notes.append))
            except ProviderFault as fault:
                heard.fault = fault
            finally:
                await outgoing.close()
            return heard

    return asyncio.run(asyncio.wait_for(work(), 20))


KINDS = pytest.mark.parametrize("kind", sorted(MAKERS))
STREAMING = pytest.mark.parametrize("kind", ["anthropic", "openai"])


@KINDS
def test_an_answer_is_text_usage_and_an_end(kind):
    heard = ask(kind, told(kind, "Grüß ", "Gott", "!"))
    assert heard.answer is not None, heard.fault
    assert heard.answer.text == "Grüß Gott!"
    assert heard.answer.usage == {"input_tokens": 7, "output_tokens": 12}
    assert heard.answer.stop in ("end_turn", "stop", "succeeded")
    assert "".join(heard.words) == "Grüß Gott!"


@STREAMING
def test_a_stream_may_be_cut_into_pieces_anywhere(kind):
    whole = (anthropic if kind == "anthropic" else openai)("Grüß ", "Gott", "!", uses=[("u1", "add", {"a": 1, "b": [2]})])
    for slices in (7, 61, 1000):
        heard = ask(kind, streams(*whole, slices=slices))
        assert heard.answer is not None, heard.fault
        assert heard.answer.text == "Grüß Gott!"
        assert heard.answer.uses == [ToolUse("u1", "add", {"a": 1, "b": [2]})]


def test_anthropic_is_asked_as_it_wants_to_be_asked():
    heard = ask("anthropic", told("anthropic", "x"), system="Be brief.", temperature=0.5, max_tokens=99)
    request = heard.receiver.received[0]
    assert request.path == "/v1/messages"
    assert (request.headers["x-api-key"], request.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert heard.sent == {
        "model": "owner/model", "max_tokens": 99, "system": "Be brief.", "temperature": 0.5, "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
    }  # fmt: skip


def test_openai_is_asked_as_it_wants_to_be_asked():
    heard = ask("openai", told("openai", "x"), system="Be brief.", temperature=0.5, max_tokens=99)
    request = heard.receiver.received[0]
    assert (request.path, request.headers["authorization"]) == ("/chat/completions", f"Bearer {KEY}")
    assert heard.sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
    assert heard.sent["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("model", "path", "version"),
    [
        ("meta/llama", "/v1/models/meta/llama/predictions", None),
        ("me/mine:abc123", "/v1/predictions", "abc123"),
        ("abc123", "/v1/predictions", "abc123"),
    ],
)
def test_replicate_is_asked_as_it_wants_to_be_asked(model, path, version):
    heard = ask("replicate", told("replicate", "x"), model=model, system="Be brief.", temperature=1, max_tokens=99)
    request = heard.receiver.received[0]
    assert (request.path, request.headers["authorization"], heard.sent.get("version")) == (path, f"Bearer {KEY}", version)
    assert heard.sent["input"] == {"prompt": "Hello?", "system_prompt": "Be brief.", "temperature": 1, "max_tokens": 99}


def test_replicate_is_looked_at_until_it_is_over():
    script = [
        prediction("starting"),
        prediction("processing", ["A ro"]),
        refuses(502, "", ""),
        prediction("processing", ["A ro", "bot "]),
        prediction("succeeded", ["A ro", "bot ", "sings"]),
    ]
    heard = ask("replicate", *script, wire={"max_retries": 1})
    assert heard.answer is not None, heard.fault
    assert (heard.answer.text, heard.words) == ("A robot sings", ["A ro", "bot ", "sings"])
    assert [each.path for each in heard.receiver.received[1:]] == ["/v1/predictions/gm3qorzdhgbfurvjtvhg6dckhu"] * 4


@pytest.mark.parametrize("model", ["../../admin", "a/b/c", "a/b?x", "", "a b", "a/..:x"])
def test_a_model_that_is_no_name_goes_nowhere(model):
    heard = ask("replicate", told("replicate", "x"), model=model)
    assert heard.fault is not None
    assert heard.receiver.received == []


def test_a_prediction_that_failed_is_a_failure():
    heard = ask("replicate", prediction("starting"), prediction("failed", error="out of memory"))
    assert heard.fault is not None
    assert (heard.fault.message, heard.fault.is_passing) == ("replicate: failed: out of memory", False)


def test_a_prediction_that_nobody_waits_for_is_canceled():
    heard = ask("replicate", prediction("processing"), wire={"timeout_s": 0.05})
    assert heard.fault is not None
    assert heard.receiver.received[-1].path.endswith("/cancel")


@KINDS
@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_what_may_pass_is_tried_again_as_often_as_is_allowed(kind, status):
    again = refuses(status, "overloaded_error", "Overloaded", Retry_After="0")
    heard = ask(kind, again, again, told(kind, "there"), wire={"max_retries": 2})
    assert heard.answer is not None
    assert heard.answer.text == "there"
    assert heard.notes[0] == f"{kind}: HTTP status {status}: overloaded_error: Overloaded; try 2 of 3 in 0 s"
    given_up = ask(kind, again, wire={"max_retries": 2})
    assert given_up.fault is not None
    assert len(given_up.receiver.received) == 3


@KINDS
def test_a_wait_that_is_asked_for_is_kept_but_not_a_very_long_one(kind):
    heard = ask(kind, refuses(429, "rate_limit_error", "Slow down", Retry_After="0.02"), told(kind, "x"), wire={"max_retries": 1})
    assert heard.notes[0].endswith("in 0.02 s")
    long = ask(kind, refuses(429, "rate_limit_error", "Slow down", Retry_After="3600"), wire={"max_retries": 1})
    assert long.fault is not None
    assert len(long.receiver.received) == 1


def test_a_moment_to_come_back_at_counts_from_the_answers_own_clock():
    date, later = "Sun, 22 Nov 2026 02:00:00 GMT", "Sun, 22 Nov 2026 03:00:00 GMT"
    heard = ask("anthropic", refuses(429, "x", "y", Retry_After=later, Date=date), wire={"max_retries": 1})
    assert heard.fault is not None
    assert heard.fault.retry_after_s == 3600


@KINDS
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_not_tried_again(kind, status):
    heard = ask(kind, refuses(status, "invalid_request_error", "No such model"), wire={"max_retries": 3})
    assert heard.fault is not None
    assert heard.fault.message == f"{kind}: HTTP status {status}: invalid_request_error: No such model"
    assert not heard.fault.is_passing
    assert len(heard.receiver.received) == 1


@KINDS
@pytest.mark.parametrize(
    "bad",
    [
        reset,
        answer(200, b"\x00\xff garbage", content_type="text/event-stream"),
        answer(200, b"data: {not json}\n\n", content_type="text/event-stream"),
        answer(200, b'data: [1, 2]\n\ndata: {"type": 5}\n\n', content_type="text/event-stream"),
        answer(200, b"<html>hello</html>", content_type="text/html"),
        answer(200, b"{}", content_type="application/json"),
        answer(200, b"", content_type="text/event-stream"),
    ],
)
def test_garbage_is_a_fault_and_never_more(kind, bad):
    heard = ask(kind, bad)
    assert heard.fault is not None
    assert heard.fault.message.startswith(f"{kind}: ")


@STREAMING
def test_a_stream_that_breaks_off_is_no_answer_and_is_asked_for_again(kind):
    part = (anthropic if kind == "anthropic" else openai)("half of", ends=False)
    for broken in (streams(*part, cut=True), streams(*part)):
        heard = ask(kind, broken, told(kind, "all of it"), wire={"max_retries": 1})
        assert heard.answer is not None, heard.fault
        assert heard.answer.text == "all of it"
        assert len(heard.receiver.received) == 2


def test_an_error_in_the_middle_of_a_stream_is_told():
    overloaded = 'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n'
    heard = ask("anthropic", streams(*anthropic("half", ends=False), overloaded))
    assert heard.fault is not None
    assert (heard.fault.message, heard.fault.is_passing) == ("anthropic: overloaded_error: Overloaded", True)
    other = ask("openai", streams('data: {"error": {"message": "went wrong"}}\n\n'))
    assert other.fault is not None
    assert other.fault.message == "openai: went wrong"


@KINDS
@pytest.mark.parametrize("slow", [hang, dribble])
def test_an_answer_that_takes_too_long_is_given_up(kind, slow):
    heard = ask(kind, slow, wire={"timeout_s": 0.05})
    assert heard.fault is not None
    assert heard.fault.is_passing


def test_a_slow_answer_is_heard_before_it_is_over():
    async def work() -> None:
        outgoing, more, words = Outgoing(Guard("deny")), asyncio.Event(), []
        begun = asyncio.Event()

        def hear(text: str) -> None:
            words.append(text)
            begun.set()

        async with receiving(streams(*anthropic("one ", "two ", "three ", "four"), slices=12, waits=more)) as receiver:
            provider = Anthropic(Wire(name="claude", outgoing=outgoing, base_url=receiver.url))
            asking = asyncio.ensure_future(provider.complete(Asked(model="m", turns=[Turn(role="user", text="x")], on_text=hear)))
            await begun.wait()
            assert not asking.done()
            more.set()
            assert (await asking).text == "one two three four"
        await outgoing.close()

    asyncio.run(asyncio.wait_for(work(), 10))


@STREAMING
def test_a_conversation_with_tools_is_told_in_the_services_own_words(kind):
    turns = [
        Turn(role="user", text="What is 2 + 3?"),
        Turn(role="assistant", text="Let me see.", uses=[ToolUse("u1", "add", {"a": 2, "b": 3})]),
        Turn(role="user", results=[ToolResult("u1", "5")]),
    ]
    spec = ToolSpec("add", "Adds.", {"type": "object"})
    heard = ask(kind, told(kind, "It is 5."), turns=turns, tools=[spec])
    messages = heard.sent["messages"]
    if kind == "anthropic":
        assert heard.sent["tools"] == [{"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}]
        assert messages[1]["content"][1] == {"type": "tool_use", "id": "u1", "name": "add", "input": {"a": 2, "b": 3}}
        assert messages[2]["content"] == [{"type": "tool_result", "tool_use_id": "u1", "content": "5", "is_error": False}]
    else:
        assert heard.sent["tools"][0]["function"]["parameters"] == {"type": "object"}
        assert messages[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a":2,"b":3}'}
        assert messages[2] == {"role": "tool", "tool_call_id": "u1", "content": "5"}


def test_the_operators_key_counts_where_none_is_given():
    heard = ask("anthropic", told("anthropic", "x"), apikey="", wire={"api_key": "operators-key"})
    assert heard.receiver.received[0].headers["x-api-key"] == "operators-key"


@KINDS
def test_a_key_with_a_line_break_goes_nowhere(kind):
    heard = ask(kind, told(kind, "x"), apikey="key\r\nx-other: y", wire={"max_retries": 1})
    assert heard.fault is not None
    assert not heard.fault.is_passing
    assert heard.receiver.received == []
