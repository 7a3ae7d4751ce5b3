"""The session in docs/surfaces/fylr.md, against a real server."""

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

PAGE = Path(__file__).parents[3] / "docs/surfaces/fylr.md"
SHOWN_PORT = "8080"
TEXT = PAGE.read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, str]]:
    """Each command with what it prints; `…` stands for anything."""
    parts = [part for block in blocks("console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The page's server: where it listens, and the environment of its operator."""
    found = str(free_port())
    [settings] = blocks("toml")
    (folder / "rota.toml").write_text(settings.replace(SHOWN_PORT, found))
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(Path(rota.__file__).parents[1])}
    command = [sys.executable, "-u", "-m", "rota", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            assert any("/metrics" in line for line in server.stdout)
            yield found, environ
        finally:
            server.terminate()


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    said = steps()
    with serving(tmp_path) as (port, environ):
        script = "".join(f"echo '@@'; {command}\necho\n" for command, _ in said).replace(SHOWN_PORT, port)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
    answers = done.stdout.split("@@\n")[1:]
    assert len(answers) == len(said), done.stderr
    for (command, printed), answer in zip(said, answers, strict=True):
        pattern = ".*".join(re.escape(part) for part in printed.strip().split("…"))
        shown = answer.replace(port, SHOWN_PORT).strip()
        assert re.fullmatch(pattern, shown, re.DOTALL), f"{command}\n{answer}\n{done.stderr}"
