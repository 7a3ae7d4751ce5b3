"""The session in docs/surfaces/nla.md, against a real server."""

from pathlib import Path

import pytest
from tests.e2e.free_port import free_port
from tests.walkthrough import DOCS, blocks, check_session, serving

pytestmark = pytest.mark.e2e

TEXT = (DOCS / "surfaces/nla.md").read_text()
SHOWN_PORT, SHOWN_MAIN_PORT = "8083", "7682"


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    port, main_port = str(free_port()), str(free_port())
    [settings] = blocks(TEXT, "toml")
    (tmp_path / "rota.toml").write_text(settings.replace(SHOWN_PORT, port))
    with serving(tmp_path, "ready", listen=f"127.0.0.1:{main_port}"):
        check_session(TEXT, tmp_path, {SHOWN_PORT: port, SHOWN_MAIN_PORT: main_port})
