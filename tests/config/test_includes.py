"""Several files pooled into one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.shell_of import shell_of

from rota.config import Finding, Loaded

Load = Callable[..., Loaded]
Refuse = Callable[..., list[Finding]]
ROOT = '[daemon]\ninclude = ["tasks.d/*.toml", "more.toml"]\n[defaults]\nkeep_runs = 5\n[tasks.root]\nrun = "x"\n'


@pytest.fixture
def more(tmp_path: Path) -> Path:
    (tmp_path / "tasks.d").mkdir()
    (tmp_path / "tasks.d" / "b.toml").write_text('[tasks.b]\nrun = "x"\nworking_dir = "here"\n')
    (tmp_path / "tasks.d" / "a.toml").write_text('[services.a]\nrun = "x"\ndepends_on = ["m"]\n')
    (tmp_path / "more.toml").write_text('[services.m]\nrun = "x"\n')
    return tmp_path


def test_units_of_included_files_are_pooled_in_the_order_of_the_patterns(load_text: Load, more: Path) -> None:
    loaded = load_text(ROOT)
    assert [unit.name for unit in loaded.units] == ["root", "a", "b", "m"]
    assert {unit.spec.policy.keep_runs for unit in loaded.units} == {5}
    b = loaded.units[2]
    assert b.file == str(more / "tasks.d" / "b.toml")
    assert shell_of(b.spec).working_dir == str(more / "tasks.d" / "here")


def test_a_pattern_may_match_nothing_but_a_named_file_must_exist(load_text: Load, refuse: Refuse, tmp_path: Path) -> None:
    assert load_text('[daemon]\ninclude = ["none.d/*.toml"]\n').units == []
    finding = refuse('[daemon]\ninclude = ["none.toml"]\n')[0]
    assert finding.location == str(tmp_path / "none.toml")
    assert "cannot be read" in finding.message


def test_a_file_is_included_once_and_the_main_file_not_at_all(load_text: Load, more: Path) -> None:
    loaded = load_text('[daemon]\ninclude = ["*.toml", "more.toml", "./more.toml"]\n[tasks.root]\nrun = "x"\n')
    assert [unit.name for unit in loaded.units] == ["root", "m"]


def test_a_name_used_in_two_files_is_an_error_that_names_both(refuse: Refuse, more: Path) -> None:
    (more / "more.toml").write_text('# one line\n[tasks.root]\nrun = "y"\n')
    finding = refuse(ROOT.replace('"tasks.d/*.toml", ', ""))[0]
    assert finding.location == f"{more / 'more.toml'}:2:1 tasks.root"
    assert f"{more / 'rota.toml'}:5" in finding.message


@pytest.mark.parametrize("section", ["[defaults]", "[scheduler]", "[daemon]\ninclude = []", "[server]", "[notify]", "[[listen]]"])
def test_only_units_may_stand_in_an_included_file(refuse: Refuse, more: Path, section: str) -> None:
    (more / "more.toml").write_text(f"{section}\n")
    messages = [finding.message for finding in refuse(ROOT.replace('"tasks.d/*.toml", ', "")) if "more.toml" in finding.file]
    assert messages == ["may only stand in the main file, not in an included one"]


def test_errors_of_all_files_are_told_together(refuse: Refuse, more: Path) -> None:
    (more / "more.toml").write_text("[tasks.m\n")
    (more / "tasks.d" / "b.toml").write_text('[tasks.b]\nrunn = "x"\n')
    files = {Path(finding.file or finding.location).name for finding in refuse(ROOT)}
    assert files == {"more.toml", "a.toml", "b.toml"}
