"""`module.<name>`: modules as steps of pipelines."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.pipeline_workbench import Bench

from rota.modules.catalogue import Catalogue
from rota.tools.module import ModuleTools

pytestmark = pytest.mark.e2e

TEXT = """
import os, rota
from typing import Annotated, Literal
from msgspec import Meta

@rota.module(description={"de-DE": "Zählt.", "en-US": "Counts."})
def counts(
    ctx, what: str, how: Literal["up", "down"] = "up", top: Annotated[int, Meta(ge=1, le=9)] = 3, ids: list[int] | None = None
):
    ctx.info(f"counting {what}", 50)
    ctx.state["calls"] = ctx.state.get("calls", 0) + 1
    return {"what": what, "key": ctx.key, "calls": ctx.state["calls"]}

@rota.module
def fails():
    raise ValueError("no good")

@rota.module
def sleeps(ctx):
    ctx.info("asleep")
    ctx.sleep(60)
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    (tmp_path / "own.py").write_text(TEXT)
    found = Catalogue([str(tmp_path / "own.py")], env=os.environ)
    assert found.read() == []
    return found


def test_its_schema_is_that_of_the_modules_parameters(catalogue: Catalogue) -> None:
    tool = ModuleTools(catalogue).find("module.counts")
    assert tool
    assert (tool.description, tool.right) == ("Counts.", "system.task")
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "what": {"type": "string"},
            "how": {"type": "string", "enum": ["up", "down"]},
            "top": {"type": "integer", "minimum": 1, "maximum": 9},
            "ids": {"type": ["array", "null"], "items": {"type": "integer"}},
        },
        "required": ["what"],
        "additionalProperties": False,
    }


def test_a_step_calls_a_module_whose_words_are_in_the_runs_log(tmp_path: Path, catalogue: Catalogue) -> None:
    steps = [
        {"uses": "module.counts", "with": {"what": "sheep"}, "save_as": "first"},
        {"uses": "module.counts", "with": {"what": "${steps.first.what}s"}, "save_as": "second"},
    ]
    bench = Bench(tmp_path, steps, modules=catalogue)
    done = bench.carry_out()
    assert done.outcome.state == "succeeded"
    first, second = (step.output for step in done.steps)
    assert (second["what"], second["calls"]) == ("sheeps", 2)
    assert first["key"].endswith(".0")
    assert second["key"] == first["key"].removesuffix("0") + "1"
    assert '{"level":"info","msg":"counting sheep","percent":50}' in done.texts


def test_a_module_that_fails_fails_its_step(tmp_path: Path, catalogue: Catalogue) -> None:
    done = Bench(tmp_path, [{"uses": "module.fails"}], modules=catalogue).carry_out()
    assert (done.outcome.state, done.outcome.error) == ("failed", "ValueError: no good")


def test_what_does_not_fit_is_told_before_the_module_is_called(tmp_path: Path, catalogue: Catalogue) -> None:
    done = Bench(tmp_path, [{"uses": "module.counts", "with": {"what": "x", "top": 10}}], modules=catalogue).carry_out()
    assert "module.counts cannot take this" in (done.outcome.error or "")
    assert done.outcome.final


def test_a_step_out_of_time_stops_its_module(tmp_path: Path, catalogue: Catalogue) -> None:
    done = Bench(tmp_path, [{"uses": "module.sleeps", "timeout_seconds": 1}], modules=catalogue).carry_out()
    assert done.outcome.error == "no answer within 1 s"
    assert "out of time: the module is asked to stop" in done.texts


def test_a_stopped_run_stops_the_module_of_its_step(tmp_path: Path, catalogue: Catalogue) -> None:
    async def cancel(bench: Bench) -> None:
        await asyncio.sleep(0.3)
        bench.stop.ask("cancel")

    done = Bench(tmp_path, [{"uses": "module.sleeps"}], modules=catalogue).carry_out(during=cancel)
    assert done.outcome.state == "canceled"
