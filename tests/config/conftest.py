"""A settings file in a scratch directory, loaded with a host that says nothing about its zone."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rota.config import Finding, Loaded, Unit, load
from rota.core.errors import Invalid

Load = Callable[..., Loaded]
Refuse = Callable[..., list[Finding]]


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Loads text as rota.toml in tmp_path."""

    def loads(text: str, environ: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None) -> Loaded:
        path = tmp_path / "rota.toml"
        path.write_text(text, "utf-8")
        return load(path, environ or {}, flags, etc=tmp_path / "etc")

    return loads


@pytest.fixture
def refuse(load_text: Load) -> Refuse:
    """The errors of text that must not load."""

    def refuses(text: str, environ: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None) -> list[Finding]:
        with pytest.raises(Invalid) as caught:
            load_text(text, environ, flags)
        problems = caught.value.problems
        assert problems
        return [problem for problem in problems if isinstance(problem, Finding)]

    return refuses


@pytest.fixture
def load_unit(load_text: Load) -> Callable[..., Unit]:
    """The first unit of text."""
    return lambda text, environ=None: load_text(text, environ).units[0]
