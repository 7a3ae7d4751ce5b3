"""Providers, agents and calls in the settings file."""

from pathlib import Path
from typing import Any

import pytest

from rota.config import load
from rota.core.errors import Invalid
from rota.core.work import Agent, Http
from rota.outgoing import Guard, Outgoing
from rota.tools import build_toolbox

PROVIDERS = """
[providers.claude]
base_url = "http://127.0.0.1:8080/proxy"
api_key = "${CLAUDE_KEY}"
max_retries = 1
[providers.home]
kind = "openai"
base_url = "http://127.0.0.1:11434/v1"
model = "llama3"
timeout = "2m"
"""
PROMPT = """{ type = "prompt", name = "a", system = "", user = "", llm = "nobody", apikey = "", model = "m", temperature = 1,
  maxTokens = 1, output = "o" }""".replace("\n", "")


def read(folder: Path, text: str, **environ: str) -> Any:
    path = folder / "rota.toml"
    path.write_text(text)
    return load(path, environ)


def test_providers_are_read_and_their_keys_are_hidden(tmp_path):
    loaded = read(tmp_path, PROVIDERS, CLAUDE_KEY="sk-0123456789")
    claude, home = loaded.settings.providers
    assert (claude.kind, claude.base_url, claude.api_key.reveal(), claude.max_retries) == (
        "anthropic", "http://127.0.0.1:8080/proxy", "sk-0123456789", 1,
    )  # fmt: skip
    assert (home.kind, home.model, home.timeout, home.api_key) == ("openai", "llama3", 120.0, None)
    assert "sk-0123456789" not in repr(loaded.settings)


def test_some_providers_are_always_there(tmp_path):
    toolbox = build_toolbox(read(tmp_path, PROVIDERS, CLAUDE_KEY="x").settings, Outgoing(Guard()))
    assert toolbox.llms is not None
    assert toolbox.llms.names == ["claude", "echo", "home", "replicate"]
    assert toolbox.find("llm.home.complete") is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[providers.mine]\nbase_url = 'http://a'", "needs kind"),
        ("[providers.mine]\nkind = 'gpt'", "must be one of"),
        ("[providers.claude]\nkind = 'openai'", "claude is anthropic everywhere"),
        ("[providers.mine]\nkind = 'openai'\nmodle = 'x'", "unknown key"),
        ("[providers.'a b']\nkind = 'echo'", "the name must be"),
        ("[providers.mine]\nkind = 'openai'\nbase_url = 'ftp://a'", "http"),
        ("[tasks.a]\nexecutor = { kind = 'agent' }", "exactly one of nodes, command and url"),
        ("[tasks.a]\nexecutor = { kind = 'agent', nodes = [{ type = 'x', name = 'y' }] }", "invalid value"),
        (
            f"[tasks.a]\nexecutor = {{ kind = 'agent', nodes = [{PROMPT}] }}",
            "there is no provider 'nobody'; there are claude, echo",
        ),
        ("[tasks.a]\nexecutor = { kind = 'http', url = 'gopher://x' }", "only http and https"),
        ("[tasks.a]\nexecutor = { kind = 'http', url = 'http://x', body = '${a b}' }", "Failed to evaluate"),
    ],
)
def test_what_cannot_work_is_told_with_its_place(tmp_path, text, words):
    with pytest.raises(Invalid) as refusal:
        read(tmp_path, text)
    assert any(words in problem.message for problem in refusal.value.problems), refusal.value.problems


def test_agents_and_calls_stand_in_the_executor_of_a_task(tmp_path):
    loaded = read(
        tmp_path,
        """
[tasks.poem]
cron = "@daily"
[tasks.poem.executor]
kind = "agent"
variables = { topic = "rain" }
[[tasks.poem.executor.nodes]]
type = "prompt"
name = "Write"
system = ""
user = "A poem about {topic}"
llm = "echo"
apikey = ""
model = "any"
temperature = 1
maxTokens = 200
output = "poem"
[tasks.ping]
executor = { kind = "http", url = "http://127.0.0.1/ping", expect_status = [200, 204] }
""",
    )
    poem, ping = (unit.spec.executor for unit in loaded.units)
    assert isinstance(poem, Agent)
    assert isinstance(ping, Http)
    assert (poem.variables, ping.expect_status) == ({"topic": "rain"}, [200, 204])
