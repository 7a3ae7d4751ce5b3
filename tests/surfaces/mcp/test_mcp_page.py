"""The session of docs/mcp.md prints what the page says, and the page of what is there is true."""

import asyncio
import re
from pathlib import Path

import pytest
from tests.surfaces.mcp.speaking import served

from rota.surfaces import mcp
from rota.surfaces.mcp.tools import TOOLS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/mcp.md").read_text()
COVERAGE = (ROOT / "src/rota/surfaces/mcp/COVERAGE.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_session_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = compile(block("python"), "docs/mcp.md", "exec")

    async def talk() -> str:
        async with served(tmp_path) as place:
            monkeypatch.setenv("ROTA_URL", place.url)
            monkeypatch.setenv("ROTA_KEY", await place.key("assistant"))
            capsys.readouterr()  # what the server has to say is not the program's
            await asyncio.to_thread(exec, program, {"__name__": "session"})
            return capsys.readouterr().out

    assert asyncio.run(talk()) == block("text")


def test_coverage_tells_the_scopes_of_every_tool() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (`[^|]*`) \|", COVERAGE, re.MULTILINE))
    assert told == {tool.name: ", ".join(f"`{scope}`" for scope in tool.scopes) for tool in TOOLS}


def test_coverage_has_a_line_for_every_plain_route() -> None:
    told = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \| (?:same|ours)", COVERAGE, re.MULTILINE))
    assert told == {f"{route.method} {route.path}" for route in mcp.ROUTES}
