"""Which zone counts where a task names none (RunWisp §6.3)."""

from pathlib import Path

import pytest

from rota.config.zone import resolve_timezone


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "timezone").write_text("Europe/Prague\n")
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    return tmp_path


def test_what_is_configured_goes_first(etc: Path) -> None:
    assert resolve_timezone("Asia/Tokyo", {"TZ": "Europe/Rome"}, etc) == ("Asia/Tokyo", "config")


@pytest.mark.parametrize(
    "text", ["Europe/Rome", ":Europe/Rome", "/usr/share/zoneinfo/Europe/Rome", ":/usr/share/zoneinfo/Europe/Rome"]
)
def test_then_the_variable(etc: Path, text: str) -> None:
    assert resolve_timezone(None, {"TZ": text}, etc) == ("Europe/Rome", "system")


@pytest.mark.parametrize("environ", [{}, {"TZ": ""}, {"TZ": "Nowhere/Land"}])
def test_then_the_distributions_file(etc: Path, environ: dict[str, str]) -> None:
    assert resolve_timezone(None, environ, etc) == ("Europe/Prague", "system")


@pytest.mark.parametrize("content", [None, b"", b"Nowhere/Land", b"\xff"])
def test_then_the_target_of_the_link(etc: Path, content: bytes | None) -> None:
    (etc / "timezone").unlink()
    if content is not None:
        (etc / "timezone").write_bytes(content)
    assert resolve_timezone(None, {}, etc) == ("Europe/Berlin", "system")


def test_an_undetectable_zone_is_utc(tmp_path: Path) -> None:
    assert resolve_timezone(None, {}, tmp_path) == ("UTC", "system")
