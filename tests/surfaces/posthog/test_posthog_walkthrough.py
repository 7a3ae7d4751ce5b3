"""The session in docs/surfaces/posthog.md, against a real server."""

from pathlib import Path

import pytest
from tests.e2e.free_port import free_port
from tests.walkthrough import DOCS, blocks, check_session, serving

pytestmark = pytest.mark.e2e

TEXT = (DOCS / "surfaces/posthog.md").read_text()
SHOWN_PORT = "8030"


def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    port = str(free_port())
    (tmp_path / "rota.toml").write_text(blocks(TEXT, "toml")[0].replace(SHOWN_PORT, port))
    with serving(tmp_path, "API"):
        check_session(TEXT, tmp_path, {SHOWN_PORT: port})
