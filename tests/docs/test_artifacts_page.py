"""The session in docs/artifacts.md, against a real server."""

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

TEXT = (Path(__file__).parents[2] / "docs/artifacts.md").read_text()
SHOWN_PORT = "8010"
ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(rota.__file__).parents[1])}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, str]]:
    """Each command with what it prints; `…` stands for anything."""
    parts = [part for block in blocks("console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


def command(folder: Path, *words: str) -> str:
    line = [sys.executable, "-m", "rota", *words]
    return subprocess.run(line, cwd=folder, env=ENVIRON, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, str]]:
    """The page's server: where it listens, and ann's key."""
    found = str(free_port())
    (folder / "rota.toml").write_text(next(text for text in blocks("toml") if SHOWN_PORT in text).replace(SHOWN_PORT, found))
    command(folder, "user", "add", "ann")
    command(folder, "project", "add", "Household")
    command(folder, "project", "join", "1", "--user", "ann")
    key = command(folder, "key", "add", "--user", "ann", "--for", "posthog")
    line = [sys.executable, "-u", "-m", "rota", "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(line, cwd=folder, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            assert next(line for line in server.stdout if "API" in line)
            yield found, key
        finally:
            server.terminate()


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    said = steps()
    with serving(tmp_path) as (port, key):
        script = "".join(f"echo '@@'; {command}\necho\n" for command, _ in said).replace(SHOWN_PORT, port)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env={**os.environ, "KEY": key}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    answers = done.stdout.replace(port, SHOWN_PORT).split("@@\n")[1:]
    assert len(answers) == len(said), done.stderr
    for (command_line, printed), answer in zip(said, answers, strict=True):
        pattern = ".*".join(re.escape(part) for part in printed.strip().split("…"))
        assert re.fullmatch(pattern, answer.strip(), re.DOTALL), f"{command_line}\n{answer}"
