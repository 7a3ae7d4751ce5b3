"""The session in docs/artifacts.md, against a real server."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.free_port import free_port
from tests.walkthrough import DOCS, blocks, check_session, environ_in, serving

pytestmark = pytest.mark.e2e

TEXT = (DOCS / "artifacts.md").read_text()
SHOWN_PORT = "8010"


def command(folder: Path, *words: str) -> str:
    line = [sys.executable, "-m", "rota", *words]
    return subprocess.run(line, cwd=folder, env=environ_in(folder), capture_output=True, text=True, check=True).stdout.strip()


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    port = str(free_port())
    settings = next(text for text in blocks(TEXT, "toml") if SHOWN_PORT in text)
    (tmp_path / "rota.toml").write_text(settings.replace(SHOWN_PORT, port))
    command(tmp_path, "user", "add", "ann")
    command(tmp_path, "project", "add", "Household")
    command(tmp_path, "project", "join", "1", "--user", "ann")
    key = command(tmp_path, "key", "add", "--user", "ann", "--for", "posthog")
    with serving(tmp_path, "API"):
        check_session(TEXT, tmp_path, {SHOWN_PORT: port}, KEY=key)
