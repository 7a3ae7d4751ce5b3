"""The session in docs/surfaces/nla.md, against a real server."""

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

TEXT = (Path(__file__).parents[3] / "docs/surfaces/nla.md").read_text()
SHOWN = ("8083", "7682")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, str]]:
    """Each command with what it prints; `…` stands for anything."""
    parts = [part for block in blocks("console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in (part.partition("\n") for part in parts)]


@contextmanager
def serving(folder: Path, environ: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The page's server: the ports that it has here."""
    ports = str(free_port()), str(free_port())
    [settings] = blocks("toml")
    (folder / "rota.toml").write_text(settings.replace(SHOWN[0], ports[0]))
    command = [sys.executable, "-u", "-m", "rota", "serve", "--listen", f"127.0.0.1:{ports[1]}"]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        try:
            next(line for line in server.stdout if "ready" in line)
            yield ports
        finally:
            server.terminate()


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    said = steps()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {"PATH": path, "PYTHONPATH": str(Path(rota.__file__).parents[1]), "TZ": "UTC"}
    with serving(tmp_path, environ) as ports:
        script = "".join(f"echo '@@'; {command}\necho\n" for command, _ in said)
        for shown, port in zip(SHOWN, ports, strict=True):
            script = script.replace(f"localhost:{shown}", f"localhost:{port}")
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
    answers = done.stdout.split("@@\n")[1:]
    assert len(answers) == len(said), done.stderr
    for (command, printed), answer in zip(said, answers, strict=True):
        pattern = ".*".join(re.escape(part) for part in printed.strip().split("…"))
        assert re.fullmatch(pattern, answer.strip(), re.DOTALL), f"{command}\n{answer}\n{done.stderr}"
