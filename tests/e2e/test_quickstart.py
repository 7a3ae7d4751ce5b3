"""The examples do what they say."""

import shutil
import tomllib
from pathlib import Path

import httpx
import pytest
from tests.e2e.conftest import MakeServer
from tests.e2e.free_port import free_port

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_quickstart_does_its_work(make_server: MakeServer) -> None:
    port = free_port()
    server = make_server((EXAMPLES / "quickstart" / "rota.toml").read_text().replace("7683", str(port)))
    shutil.copytree(EXAMPLES / "quickstart" / "notes", server.folder / "notes")
    server.start()
    assert server.own_log().count("Rota ") == 1

    archived = server.cli("run", "archive-notes", "--wait")
    assert archived.returncode == 0, archived.stderr
    archives = list((server.folder / "work" / "archives").glob("notes-*.tar.gz"))
    assert any(f"wrote work/archives/{archive.name}" in archived.stdout for archive in archives)

    greeted = server.cli("run", "greet", "--param", "NAME=Ada", "--wait")
    assert (greeted.returncode, greeted.stdout) == (0, "Hello, Ada!\n")
    assert server.cli("run", "greet", "--wait").stdout == "Hello, world!\n"

    checked = server.until(lambda: server.runs(task="check-disk", state="succeeded,failed,pending"))[0]
    assert checked["trigger"] == "startup"
    server.until(lambda: archives[0].name in _page(f"http://127.0.0.1:{port}/"))
    assert len(server.get("/v1/tasks/first-report/next")["items"]) == 1


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.toml")), ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_every_example_is_valid(make_server: MakeServer, path: Path) -> None:
    server = make_server("")
    told = server.cli("validate", str(path))
    assert told.returncode == 0, told.stderr
    assert tomllib.loads(path.read_text())


def _page(url: str) -> str:
    try:
        return httpx.get(url).text
    except httpx.TransportError:
        return ""
