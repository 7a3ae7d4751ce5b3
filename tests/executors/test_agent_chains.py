"""Chains of nodes: what is asked, what is told, what is done once."""

import asyncio
from typing import Any

import pytest
from tests.agent_workbench import AgentBench, agent, chain_of, prompt, returns

from rota.core.policy import LogLimit
from rota.providers import Asked, Completion, ProviderFault
from rota.providers.echo import Echo


class Counting(Echo):
    """Echo that remembers what it was asked; it fails so many times first."""

    def __init__(self, failures: int = 0, *, is_passing: bool = True) -> None:
        super().__init__("counting")
        self.asked: list[str] = []
        self._failures = failures
        self._is_passing = is_passing

    async def complete(self, asked: Asked) -> Completion:
        if self._failures:
            self._failures -= 1
            raise ProviderFault("counting: no", is_passing=self._is_passing)
        self.asked.append(asked.turns[0].text)
        return await super().complete(asked)


class Hanging(Echo):
    """Echo that begins to speak and never ends."""

    def __init__(self) -> None:
        super().__init__("hanging")
        self.has_begun = asyncio.Event()
        self.was_cancelled = False

    async def complete(self, asked: Asked) -> Completion:
        asked.on_text("I was about to")
        self.has_begun.set()
        try:
            return await asyncio.Event().wait()  # type: ignore[return-value]
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


def test_each_node_finds_what_those_before_it_said(tmp_path):
    nodes = [
        prompt("Synopsis", user="A {genre} film: {idea}", output="context"),
        prompt("Script", user="Write: {context}", output="context"),
        returns("context", "genre"),
    ]
    done = agent(tmp_path, nodes, variables={"genre": "noir"}, params={"idea": "robots", "genre": "scifi"}).carry_out()
    assert (done.outcome.state, done.outcome.error) == ("succeeded", None)
    assert done.outcome.output == {"context": "Write: A scifi film: robots", "genre": "scifi"}
    assert done.logs == [
        "Synopsis: Running",
        "Response: A scifi film: robots",
        "Script: Running",
        "Response: Write: A scifi film: robots",
        "Return: Running",
    ]


def test_variables_come_from_the_agent_then_the_task_then_the_run(tmp_path):
    work = chain_of(returns("a", "b", "c"), a=1, b=1, c=1)
    bench = AgentBench(tmp_path, work, params={"c": [3]}, defaults={"b": 2, "c": 2})
    assert bench.carry_out().outcome.output == {"a": 1, "b": 2, "c": [3]}


def test_the_return_node_is_the_end(tmp_path):
    done = agent(tmp_path, [returns(), prompt(user="never")]).carry_out()
    assert (done.outcome.state, done.outcome.output, done.logs) == ("succeeded", {}, ["Return: Running"])


@pytest.mark.parametrize("nodes", [[], [prompt(user="x")]])
def test_a_chain_without_a_return_node_gives_nothing_back(tmp_path, nodes):
    done = agent(tmp_path, nodes).carry_out()
    assert (done.outcome.state, done.outcome.output) == ("succeeded", {})


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (prompt(user="x", apikey="{key}"), "echo: the key is refused"),
        (prompt(user="{missing}"), "there is no variable 'missing'"),
        (prompt(user="x}"), "'}' at character 2 stands alone"),
        (prompt(user="x", llm="nobody"), "there is no provider 'nobody'"),
        (returns("missing"), "there is no variable 'missing' to return"),
    ],
)
def test_a_node_that_fails_ends_the_chain(tmp_path, node, words):
    done = agent(tmp_path, [node, prompt("Later", user="x")], variables={"key": "fail"}).carry_out()
    assert (done.outcome.state, done.outcome.output, done.outcome.final) == ("failed", None, True)
    assert words in (done.outcome.error or "")
    assert done.logs[0] == f"{node['name']}: Running"
    assert done.logs[1].startswith("Error: ")
    assert words in done.logs[1]
    assert len(done.logs) == 2


def test_a_finished_node_is_not_paid_for_again(tmp_path):
    counting, failing = Counting(), Counting(failures=2)
    failing.name = "failing"
    nodes = [
        prompt("One", user="1", llm="counting", output="one"),
        prompt("Two", user="2", llm="counting", output="two"),
        prompt("Three", user="{one}{two}3", llm="failing"),
        returns("answer"),
    ]
    done = agent(tmp_path, nodes, providers=[counting, failing]).carry_out(attempts=3)
    assert done.outcome.output == {"answer": "123"}
    assert counting.asked == ["1", "2"]
    assert "goes on behind Two: 2 of 4 nodes are done" in done.texts("system")
    assert [(step.name, step.output) for step in done.steps] == [
        ("One", {"one": "1"}),
        ("Two", {"two": "2"}),
        ("Three", {"answer": "123"}),
    ]


def test_a_run_whose_agent_cannot_be_read_any_more_fails(tmp_path):
    done = AgentBench(tmp_path, {"kind": "agent"}).carry_out()
    assert (done.outcome.state, done.outcome.final) == ("failed", True)
    assert done.logs == ["Error: the agent as it was when this run was started cannot be read any more"]


def test_a_model_is_heard_while_it_speaks_and_its_answer_is_one_item(tmp_path):
    text = "two\nlines and more\n" * 1000
    done = agent(tmp_path, [prompt(), returns("answer")], params={"question": text}).carry_out()
    assert done.logs[1] == f"Response: {text}"
    assert done.texts("stdout")[:2] == ["two", "lines and more"]
    assert done.outcome.output == {"answer": text}


def test_a_key_stands_nowhere(tmp_path):
    key = "sk-very-secret-0123456789"
    nodes = [
        prompt("Ask", user="say {key} twice: {key}", apikey=" {key} "),
        prompt("{key}", user="{key}", apikey="{key}", llm="nobody"),
    ]
    done = agent(tmp_path, nodes, params={"key": key}).carry_out()
    assert done.outcome.state == "failed"
    told = repr((done.lines, done.outcome, done.steps))
    assert key not in told
    assert "say [redacted] twice: [redacted]" in told


def test_a_key_of_a_later_node_is_hidden_from_the_beginning(tmp_path):
    key = "sk-very-secret-0123456789"
    done = agent(tmp_path, [prompt(user="{key}"), prompt(user="x", apikey="{key}")], params={"key": key}).carry_out()
    assert key not in repr((done.lines, done.outcome, done.steps))


def test_a_log_that_is_full_ends_the_chain_where_its_task_wants_that(tmp_path):
    limit = LogLimit(max_size=2000, on_full="kill_task")
    nodes = [prompt(user="long words " * 1000), prompt("Never", user="x")]
    done = agent(tmp_path, nodes, policy={"log": limit}).carry_out()
    assert (done.outcome.state, done.outcome.reason) == ("failed", "log_overflow")
    assert [step.name for step in done.steps] == ["Ask"]


def test_a_short_key_does_not_hide_ordinary_text(tmp_path):
    done = agent(tmp_path, [prompt(apikey="test"), returns("answer")], params={"question": "a test"}).carry_out()
    assert done.outcome.output == {"answer": "a test"}


def test_tokens_are_counted_for_each_node_and_by_provider(tmp_path):
    done = agent(tmp_path, [prompt(system="be kind"), prompt(user="three more words")], params={"question": "hi"}).carry_out()
    assert [step.usage for step in done.steps] == [
        {"input_tokens": 3, "output_tokens": 1},
        {"input_tokens": 3, "output_tokens": 3},
    ]
    assert done.tokens == {("echo", "input_tokens"): 6, ("echo", "output_tokens"): 4}


def test_whoever_asked_is_told_of_each_start_and_each_result(tmp_path):
    nodes = [prompt("One"), prompt("Two"), returns("answer")]
    asked = {"question": "hi"}
    assert agent(tmp_path / "told", nodes, params=asked, callback="http://127.0.0.1:9/").carry_out().told == 5
    assert agent(tmp_path / "quiet", nodes, params=asked).carry_out().told == 0


@pytest.mark.parametrize(
    ("cause", "state"), [("cancel", "canceled"), ("timeout", "timed_out"), ("stop", "stopped"), ("shutdown", "crashed")]
)
def test_a_stop_ends_a_question_and_keeps_what_was_answered(tmp_path, cause, state):
    hanging = Hanging()

    async def ask(bench: AgentBench) -> None:
        await hanging.has_begun.wait()
        bench.stop.ask(cause)

    nodes = [prompt("One", user="1"), prompt("Two", llm="hanging", user="2"), returns("answer")]
    done = agent(tmp_path, nodes, providers=[hanging]).carry_out(during=ask)
    assert (done.outcome.state, hanging.was_cancelled, done.delivered) == (state, True, 1)
    assert [step.name for step in done.steps] == ["One"]
    assert done.texts("stdout") == ["1", "I was about to"]
    assert any("ends at node Two" in text for text in done.texts("system"))


def test_secrets_of_a_task_are_variables_that_are_never_shown(tmp_path):
    done = agent(tmp_path, [prompt(user="with {TOKEN}"), returns("answer")], secrets={"TOKEN": "s3cret-s3cret"}).carry_out()
    assert done.outcome.output == {"answer": "with [redacted]"}


def test_the_model_and_the_key_are_templates(tmp_path):
    done = agent(tmp_path, [prompt(user="x", model="delay:{seconds}")], variables={"seconds": 0}).carry_out()
    assert done.outcome.state == "succeeded"
    refused: Any = agent(tmp_path / "b", [prompt(user="x", apikey="{a}{b}")], variables={"a": "fa", "b": "il"}).carry_out()
    assert refused.outcome.state == "failed"
