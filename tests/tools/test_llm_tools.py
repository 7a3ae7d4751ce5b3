"""`llm.<provider>.complete` as a step of a pipeline."""

import asyncio
from typing import Any

import pytest
from tests.pipeline_workbench import Bench, Done

from rota.providers import Asked, Completion, ProviderFault, Providers
from rota.providers.echo import Echo
from rota.tools.llm import LanguageModels


class Refusing(Echo):
    async def complete(self, asked: Asked) -> Completion:
        raise ProviderFault(f"{self.name}: bad key {asked.apikey}")


MODELS = LanguageModels(Providers([Echo(), Echo("fast", model="small"), Refusing("sour", model="m")]))


def ask(folder: Any, uses: str, **given: Any) -> Done:
    return Bench(folder, [{"uses": uses, "with": given, "save_as": "said"}], families=[MODELS]).carry_out()


def test_a_step_asks_a_model_and_saves_what_it_says(tmp_path):
    done = ask(tmp_path, "llm.echo.complete", model="any", prompt='{"plan": [1, 2]}', system="be kind")
    assert done.outcome.output["steps"]["said"] == {
        "text": '{"plan": [1, 2]}', "json": {"plan": [1, 2]}, "model": "any", "stop": "end_turn",
        "usage": {"input_tokens": 5, "output_tokens": 3},
    }  # fmt: skip


def test_a_model_of_the_settings_counts_where_a_step_names_none(tmp_path):
    assert ask(tmp_path, "llm.fast.complete", prompt="x").outcome.output["steps"]["said"]["model"] == "small"
    done = ask(tmp_path / "none", "llm.echo.complete", prompt="x")
    assert (done.summary["error_type"], done.outcome.final) == ("InputValidationError", True)


@pytest.mark.parametrize("given", [{}, {"prompt": 5}, {"prompt": "x", "max_tokens": 0}, {"prompt": "x", "temprature": 1}])
def test_what_it_is_given_is_held_to_its_schema(tmp_path, given):
    assert ask(tmp_path, "llm.fast.complete", **given).summary["error_type"] == "InputValidationError"


def test_a_provider_that_fails_fails_the_step_and_its_key_is_told_nowhere(tmp_path):
    done = ask(tmp_path, "llm.sour.complete", prompt="x", apikey="sk-0123456789")
    assert (done.summary["error_type"], done.outcome.error) == ("ToolFailed", "sour: bad key [redacted]")
    assert "sk-0123456789" not in repr((done.texts, done.outcome))


@pytest.mark.parametrize("name", ["llm.nobody.complete", "llm.echo", "llm.echo.chat", "llm.", "llm.complete"])
def test_there_are_no_other_tools_of_that_name(name):
    assert MODELS.find(name) is None


def test_all_of_them_can_be_listed():
    listed = asyncio.run(MODELS.list_tools())
    assert [tool.name for tool in listed] == ["llm.echo.complete", "llm.fast.complete", "llm.sour.complete"]
