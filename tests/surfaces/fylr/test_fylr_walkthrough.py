"""The session in docs/surfaces/fylr.md, against a real server."""

from pathlib import Path

import pytest
from tests.e2e.free_port import free_port
from tests.walkthrough import DOCS, blocks, check_session, serving

pytestmark = pytest.mark.e2e

TEXT = (DOCS / "surfaces/fylr.md").read_text()
SHOWN_PORT = "8080"


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    port = str(free_port())
    [settings] = blocks(TEXT, "toml")
    (tmp_path / "rota.toml").write_text(settings.replace(SHOWN_PORT, port))
    with serving(tmp_path, "/metrics"):
        check_session(TEXT, tmp_path, {SHOWN_PORT: port})
