"""The page on agents does what it says."""

import re
from pathlib import Path

import msgspec
import pytest
from tests.agent_workbench import AgentBench

from rota.config import BUILT_IN_PROVIDERS, load
from rota.config.providers import PROVIDER_KEYS
from rota.core.agent.node import Mcp, Prompt, Return
from rota.core.agent.template import render
from rota.core.work import Agent
from rota.tools.llm import INPUT, OUTPUT

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
VARIABLES = {"genre": "noir", "many": [1, 2]}


def rows(heading: str) -> list[list[str]]:
    lines = PAGE.split(f"| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_first_example_runs(tmp_path):
    (tmp_path / "rota.toml").write_text(EXAMPLES[0])
    (unit,) = load(tmp_path / "rota.toml", {}).units
    work = unit.spec.executor
    assert isinstance(work, Agent)
    given = {"idea": "two lighthouses"}
    done = AgentBench(tmp_path, msgspec.to_builtins(work), params=given, defaults=unit.spec.params).carry_out()
    synopsis = "A science fiction film about two lighthouses."
    assert done.outcome.output == {"context": synopsis, "title": f"Give this a title: {synopsis}"}
    assert done.logs[:2] == ["Synopsis: Running", f"Response: {synopsis}"]


@pytest.mark.parametrize(("template", "text"), rows("Template | becomes"))
def test_templates_become_what_the_table_says(template, text):
    assert render(template.strip("`"), VARIABLES) == text.strip("`")


def test_every_field_of_a_node_is_on_the_page():
    told = {kind.strip("`"): re.findall(r"\w+", fields) for kind, fields in rows("`type` | fields")}
    assert told == {str(node.__struct_config__.tag): list(node.__struct_encode_fields__) for node in (Prompt, Mcp, Return)}


def test_every_kind_of_provider_and_every_field_of_its_tool_is_on_the_page():
    kinds = {kind.strip("`") for kind, *_ in rows("`kind` | speaks | asked at")}
    assert kinds == set(BUILT_IN_PROVIDERS.values()) | {"openai"}
    assert "kind" in PROVIDER_KEYS
    for field in (*INPUT["properties"], *OUTPUT["required"]):
        assert f"`{field}`" in PAGE
