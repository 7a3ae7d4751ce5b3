"""Commands that open the stored data while a server is at work on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rota.store import database


def test_a_database_in_use_is_not_looked_through_for_damage(
    server: Path, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told("user", "add", "ada")
    assert (server.parent / "rota.db-wal").stat().st_size  # as after an unclean end
    looked: list[object] = []
    monkeypatch.setattr(database, "check", looked.append)
    told("user", "add", "ben")
    assert not looked
