"""The sessions in docs/surfaces/runwisp.md, against real servers."""

from pathlib import Path

import pytest
from tests.e2e.free_port import free_port
from tests.walkthrough import DOCS, blocks, check_session, serving, steps

pytestmark = pytest.mark.e2e

SHOWN_PORT = "9477"
# The session before this heading goes without a password, the one behind it logs in.
OPEN, _, CLOSED = (DOCS / "surfaces/runwisp.md").read_text().partition("## Logging in")


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    assert steps(OPEN)[0][0].endswith("--request GET --url http://localhost:9477/api/tasks")
    walk(OPEN, tmp_path, RUNWISP_NO_AUTH="1")


def test_a_client_logs_in_as_the_page_says(tmp_path: Path) -> None:
    walk(CLOSED, tmp_path, RUNWISP_PASSWORD="correct horse")


def walk(text: str, folder: Path, **access: str) -> None:
    port = str(free_port())
    [settings] = blocks(OPEN, "toml")
    (folder / "runwisp.toml").write_text(settings.replace(SHOWN_PORT, port))
    with serving(folder, "serves", "--config", "runwisp.toml", **access):
        check_session(text, folder, {SHOWN_PORT: port})
