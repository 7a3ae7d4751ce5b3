"""Agents before they run: nodes, templates, and what becomes of variables."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.agent import chain
from rota.core.agent.check import check_agent
from rota.core.agent.node import Return, read_nodes
from rota.core.agent.template import BadTemplate, render
from rota.core.errors import Invalid
from rota.core.work import Agent, Work

PROMPT = {
    "type": "prompt", "name": "Ask", "system": "", "user": "{x}", "llm": "echo", "apikey": "{key}", "model": "m",
    "temperature": 1, "maxTokens": 10, "output": "answer",
}  # fmt: skip
RETURN = {"type": "return", "name": "Return", "output": ["answer"]}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in PROMPT.items() if key != name}


def test_nodes_are_kept_as_they_are_written():
    mcp = {"type": "mcp", "name": "m", "config": {"server": "s"}, "user": "u", "apikey": "k", "maxSteps": 3, "output": "o"}
    assert msgspec.to_builtins(read_nodes([PROMPT, mcp, RETURN])) == [PROMPT, mcp, RETURN]


@pytest.mark.parametrize("field", ["system", "user", "apikey", "llm", "model", "temperature", "maxTokens", "output", "name"])
def test_a_prompt_needs_all_of_its_fields(field):
    with pytest.raises(Invalid) as refusal:
        read_nodes([RETURN, without(field)], "workflow")
    assert [each.location for each in refusal.value.problems] == [f"workflow.1.{field}"]


@pytest.mark.parametrize(
    ("node", "place"),
    [
        ({**PROMPT, "type": "magic"}, "type"),
        ({**PROMPT, "maxTokens": 0}, "maxTokens"),
        ({**PROMPT, "maxTokens": "10"}, "maxTokens"),
        ({**PROMPT, "temperature": True}, "temperature"),
        ({**PROMPT, "name": ""}, "name"),
        ({**PROMPT, "modle": "x"}, "modle"),
        ({**RETURN, "output": [1]}, "output.0"),
        ({"name": "x"}, "type"),
    ],
)
def test_a_wrong_node_is_named_with_its_field(node, place):
    with pytest.raises(Invalid) as refusal:
        read_nodes([node])
    assert refusal.value.problems[0].location == f"nodes.0.{place}"


def test_every_wrong_node_is_told_of():
    with pytest.raises(Invalid) as refusal:
        read_nodes([{"type": "x", "name": "a"}, PROMPT, 5])
    assert [each.location for each in refusal.value.problems] == ["nodes.0.type", "nodes.2"]


@pytest.mark.parametrize(
    ("work", "places"),
    [
        ({"nodes": []}, []),
        ({"nodes": [{**PROMPT, "llm": "none"}]}, ["nodes.0.llm"]),
        ({}, ["nodes"]),
        ({"nodes": [], "url": "https://a.example"}, ["url"]),
        ({"url": "ftp://a.example"}, ["url"]),
        ({"url": "https://a.example", "env": {"A": "b"}}, ["env"]),
        ({"command": ["true"], "headers": {"a": "b"}}, ["headers"]),
        ({"nodes": [{**without("llm"), "type": "mcp"}]}, None),
        (
            {
                "nodes": [
                    {
                        "type": "mcp",
                        "name": "m",
                        "config": {"server": "s", "url": "http://x"},
                        "user": "",
                        "apikey": "",
                        "output": "o",
                        "llm": "echo",
                    }
                ]
            },
            ["nodes.0.config"],
        ),
    ],
)
def test_an_agent_is_checked_before_it_is_stored(work, places):
    if places is None:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"kind": "agent", **work}, Work)
        return
    agent = msgspec.convert({"kind": "agent", **work}, Agent)
    assert [each.location for each in check_agent(agent, {"claude", "echo"})] == places


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("a {genre} film", "a scifi film"),
        ("{{genre}}", "{genre}"),
        ("{{{genre}}}", "{scifi}"),
        ("{number} {flag} {none} {many}", '3 true null ["ä", {"b": 1}]'),
        ("{nested}", "{genre}"),
        ("", ""),
        ("}}{{", "}{"),
    ],
)
def test_a_template_is_filled_in_once(template, text):
    values = {"genre": "scifi", "number": 3, "flag": True, "none": None, "many": ["ä", {"b": 1}], "nested": "{genre}"}
    assert render(template, values) == text


@pytest.mark.parametrize("template", ["{", "}", "{a", "a}", "{a.b}", "{a[0]}", "{0}", "{}", "{ a}", "{missing}", "{a!r}", "{{a}"])
def test_a_template_that_cannot_be_filled_in_is_refused(template):
    with pytest.raises(BadTemplate):
        render(template, {"a": "x"})


@given(st.text())
def test_text_with_its_braces_doubled_stands_for_itself(text):
    assert render(text.replace("{", "{{").replace("}", "}}"), {}) == text


@given(st.text())
def test_what_is_filled_in_is_never_looked_at_again(text):
    assert render("{a}", {"a": text}) == text


def test_later_variables_are_over_earlier_ones():
    assert chain.begin({"a": 1, "b": 1}, {"b": 2}, {"c": 3}) == {"a": 1, "b": 2, "c": 3}


def test_a_return_node_gives_the_variables_it_names():
    assert chain.returned(Return(name="r", output="a"), {"a": 1, "b": 2}) == {"a": 1}
    assert chain.returned(Return(name="r", output=["b", "a"]), {"a": 1, "b": 2}) == {"b": 2, "a": 1}
    with pytest.raises(chain.MissingVariable, match="'c'"):
        chain.returned(Return(name="r", output="c"), {})


def test_keys_are_parted_from_what_is_given_and_joined_again() -> None:
    nodes = read_nodes([PROMPT | {"apikey": "{key}"}, PROMPT | {"apikey": "a{other}b{{x}}"}, RETURN])
    given = {"key": "secret", "other": 7, "x": "y", "answer": None}
    shown, apart = chain.part(nodes, given)
    assert shown == {"key": "[redacted]", "other": "[redacted]", "x": "y", "answer": None}
    assert apart == {"key": "secret", "other": "7"}
    assert chain.join(shown, apart) == given | {"other": "7"}
    assert chain.join(shown, {}) == {"x": "y", "answer": None}


@pytest.mark.parametrize("value", ["", "  "])
def test_no_key_is_no_secret(value: str) -> None:
    assert chain.part(read_nodes([PROMPT]), {"key": value}) == ({"key": value}, {})
