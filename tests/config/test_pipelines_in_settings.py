"""Pipelines, tools and MCP servers in the settings file."""

from pathlib import Path

import pytest

from rota.config import load
from rota.core.errors import Invalid
from rota.core.work import Pipeline
from rota.outgoing import Guard, Outgoing
from rota.tools import build_toolbox

STEPS = """
[tasks.greet]
params = { user = "Ana" }
steps = [{ uses = "debug.echo", with = { message = "Hello, ${params.user}!" }, save_as = "greeting" }]
"""


def read(tmp_path: Path, text: str, **environ: str):
    (tmp_path / "rota.toml").write_text(text)
    return load(tmp_path / "rota.toml", environ)


@pytest.mark.parametrize("key", ["steps", 'executor = { kind = "pipeline", steps'])
def test_templates_of_steps_are_left_alone(tmp_path, key):
    text = STEPS.replace("steps", key, 1)
    if key != "steps":
        text = text.rstrip() + " }\n"
    work = read(tmp_path, text).units[0].spec.executor
    assert isinstance(work, Pipeline)
    assert work.steps[0].with_ == {"message": "Hello, ${params.user}!"}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('[tasks.a]\nsteps = [{ uses = "noop", with = { x = "${steps.b}" } }]\n', "tasks.a.steps[0].with.x", "saved by no step"),
        ('[tasks.a]\nsteps = [{ uses = "noop", if = "a =" }]\n', "tasks.a.steps[0].if", "Failed to evaluate condition"),
        (
            '[tasks.a]\nexecutor = { kind = "pipeline", steps = [{ uses = "x", wiht = 1 }] }\n',
            "tasks.a.executor.steps[0].wiht",
            "unknown key",
        ),
        ('[tasks.a]\nrun = "true"\nsteps = []\n', "tasks.a.steps", "exclude each other"),
        ('[mcp.servers.a]\nurl = "http://x"\ncommand = ["y"]\n', "mcp.servers.a", "one of them"),
        ("[mcp.servers.a]\n", "mcp.servers.a", "command or url"),
        ('[mcp.servers."a.b"]\nurl = "http://x"\n', "mcp.servers", "letters"),
        ('[mcp.servers.a]\nurl = "ftp://x"\n', "mcp.servers.a.url", "http"),
        ('[mcp.servers.a]\ncommand = ["x"]\nheaders = { A = "b" }\n', "mcp.servers.a.headers", "servers with url"),
        ("[mcp.server.a]\n", "mcp.server", "did you mean servers"),
        ("[tools]\nshel = true\n", "tools.shel", "did you mean shell"),
    ],
)
def test_an_error_is_told_at_its_place(tmp_path, text, place, words):
    with pytest.raises(Invalid) as error:
        read(tmp_path, text)
    (problem,) = error.value.problems
    assert place in problem.location
    assert words in problem.message


def test_servers_and_tools_become_a_toolbox(tmp_path):
    (tmp_path / "tools.json").write_text(
        '[{"address": "crm.find", "transport": "mcp", "server": "crm@http://x/mcp", "input_schema": {}, "output_schema": {}}]'
    )
    loaded = read(
        tmp_path,
        """
[tools]
shell = true
catalog = "tools.json"
[mcp.servers.files]
command = ["python", "server.py"]
env = { TOKEN = "${TOKEN}" }
[mcp.servers.web]
url = "http://127.0.0.1:9/mcp/"
headers = { Authorization = "Bearer ${TOKEN}" }
""",
        TOKEN="s3cret",
    )
    files, web = loaded.settings.mcp
    assert (files.command, web.url, web.headers["Authorization"].reveal()) == (
        ("python", "server.py"), "http://127.0.0.1:9/mcp/", "Bearer s3cret",
    )  # fmt: skip
    assert "s3cret" not in repr(loaded.settings)
    toolbox = build_toolbox(loaded.settings, Outgoing(Guard()))
    known = ("debug.echo", "shell.run", "crm.find", "mcp.files.read", "mcp.web.get", "mcp.crm.find")
    assert [name for name in known if toolbox.find(name) is None] == []
    assert toolbox.find("mcp.other.read") is None
    assert {"http.request", "task.run", "events.publish", "noop", "echo.test", "debug.log"} <= {
        tool.name for tool in toolbox.describe()
    }


def test_without_leave_there_is_no_shell(tmp_path):
    toolbox = build_toolbox(read(tmp_path, "").settings, Outgoing(Guard()))
    assert toolbox.find("shell.run") is None
