"""The session in docs/surfaces/runwisp.md, against a real server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.free_port import free_port

import rota

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).parents[3] / "docs/surfaces/runwisp.md"
SHOWN_PORT = "9477"


# The session before this heading goes without a password, the one behind it logs in.
OPEN, _, CLOSED = PAGE.read_text().partition("## Logging in")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def steps(text: str) -> list[tuple[str, str]]:
    """Each command with what it prints; `…` stands for anything."""
    parts = [part for block in blocks(text, "console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


@contextmanager
def serving(folder: Path, **access: str) -> Iterator[str]:
    """The page's server, and where it listens."""
    found = str(free_port())
    [settings] = blocks(OPEN, "toml")
    (folder / "runwisp.toml").write_text(settings.replace(SHOWN_PORT, found))
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(rota.__file__).parents[1]), **access}
    command = [sys.executable, "-u", "-m", "rota", "serve", "--config", "runwisp.toml", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline()
        yield found
        server.terminate()


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    assert steps(OPEN)[0][0].endswith("--request GET --url http://localhost:9477/api/tasks")
    with serving(tmp_path, RUNWISP_NO_AUTH="1") as port:
        check(OPEN, tmp_path, port)


def test_a_client_logs_in_as_the_page_says(tmp_path: Path) -> None:
    with serving(tmp_path, RUNWISP_PASSWORD="correct horse") as port:
        check(CLOSED, tmp_path, port)


def check(text: str, folder: Path, port: str) -> None:
    said = steps(text)
    script = "".join(f"echo '@@'; {command}\necho\n" for command, _ in said).replace(SHOWN_PORT, port)
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    answers = done.stdout.replace(port, SHOWN_PORT).split("@@\n")[1:]
    assert len(answers) == len(said), done.stderr
    for (command, printed), answer in zip(said, answers, strict=True):
        expected = re.escape(printed.strip()).replace("…", ".*")
        assert re.fullmatch(expected, answer.strip(), re.DOTALL), f"{command}\n{answer}\nfor\n{printed}"
