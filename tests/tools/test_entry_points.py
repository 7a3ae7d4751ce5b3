"""Tools that other packages bring."""

import sys
from pathlib import Path

import pytest
from tests.pipeline_workbench import Bench

from rota.core.errors import Invalid
from rota.tools.entrypoints import load_entry_points

MODULE = """
from rota.tools import Tool, ToolFault

async def greet(call):
    if call.arguments["name"] == "nobody":
        raise ToolFault("there is nobody")
    return {"text": f"Hello, {call.arguments['name']}"}

async def shout(call):
    return {"text": call.arguments}

GREET = Tool(name="acme.greet", description="Greets.", call=greet, input_schema={"type": "object", "required": ["name"]},
             output_schema={"type": "object", "required": ["text"]})
MORE = [Tool(name="acme.shout", description="Shouts.", call=shout)]
WRONG = 42
BAD = Tool(name="acme.bad", description="", call=shout, input_schema={"type": "nonsense"})
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a package with these entry points on the path."""

    def put(*entries: str) -> None:
        (tmp_path / "acme_tools.py").write_text(MODULE)
        info = tmp_path / "acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[rota.tools]\n" + "\n".join(entries) + "\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "acme_tools", raising=False)

    return put


def test_an_entry_point_is_one_tool_or_several(install, tmp_path):
    install("greet = acme_tools:GREET", "more = acme_tools:MORE")
    tools = load_entry_points()
    assert {tool.name for tool in tools} == {"acme.greet", "acme.shout"}
    done = Bench(tmp_path, [{"uses": "acme.greet", "with": {"name": "Ana"}, "save_as": "g"}], tools=tools).carry_out()
    assert done.outcome.output["steps"]["g"] == {"text": "Hello, Ana"}
    failed = Bench(tmp_path, [{"uses": "acme.greet", "with": {"name": "nobody"}}], tools=tools).carry_out()
    assert (failed.outcome.error, failed.summary["error_type"]) == ("there is nobody", "ToolFailed")


@pytest.mark.parametrize(
    ("entry", "words"),
    [("x = acme_tools:WRONG", "not iterable"), ("x = acme_tools:NOPE", "NOPE"), ("x = acme_tools:BAD", "no JSON Schema")],
)
def test_tools_that_cannot_be_used_are_refused_with_their_package(install, entry, words):
    install(entry)
    with pytest.raises(Invalid, match=f"acme.*{words}"):
        load_entry_points()
