"""The tables and examples of the page on pipelines do what it says."""

import re
from pathlib import Path
from typing import get_args

import pytest

from rota.config import load
from rota.core.actor import OPERATOR
from rota.core.pipeline.condition import holds
from rota.core.pipeline.language import Step
from rota.core.pipeline.template import render
from rota.core.work import Pipeline
from rota.outgoing import Guard, Outgoing
from rota.tools import build_toolbox, build_tools
from rota.tools.base import FINAL, FaultType

PAGE = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text()
CONTEXT = {"params": {"user": "Ana", "tags": ["a", "b"], "n": 2.5}, "steps": {}, "now": "2026-11-21T20:58:17+00:00"}


def table(heading: str) -> list[list[str]]:
    """The rows under a heading of a table."""
    lines = PAGE.split(f"| {heading}")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize(("template", "text"), table("Template"))
def test_templates_become_what_the_table_says(template, text):
    assert render(template.strip("`"), CONTEXT) == text.strip("`")


@pytest.mark.parametrize(("condition", "answer"), table("Condition"))
def test_conditions_hold_as_the_table_says(condition, answer):
    assert holds(condition.strip("`"), CONTEXT) is (answer == "yes")


def test_every_tool_error_and_key_of_a_step_is_on_the_page():
    for tool in build_tools(Outgoing(Guard()), with_shell=True):
        assert f"`{tool.name}`" in PAGE or tool.name == "echo.test"
    rows = {name: tried for names, _, tried in table("`error_type`") for name in re.findall(r"\w+", names)}
    assert set(get_args(FaultType)) <= set(rows)
    assert all(rows[name] == "no" for name in FINAL)
    assert {name.strip("`") for name, _ in table("Key")} == {name.rstrip("_") for name in Step.__struct_fields__}


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_use_tools_that_are_there(tmp_path, text):
    (tmp_path / "rota.toml").write_text(text)
    loaded = load(tmp_path / "rota.toml", {"UPLOAD_TOKEN": "t0ken"})
    toolbox = build_toolbox(loaded.settings, Outgoing(Guard()))
    works = [unit.spec.executor for unit in loaded.units if isinstance(unit.spec.executor, Pipeline)]
    assert works
    assert [toolbox.check(work, OPERATOR) for work in works] == [[] for _ in works]
