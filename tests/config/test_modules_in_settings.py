"""[modules]: where modules are, and their processes."""

from pathlib import Path

import pytest

from rota.config import load
from rota.core.errors import Invalid


def test_paths_are_relative_to_the_file_and_import_paths_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "rota.toml"
    file.write_text('[modules]\npaths = ["./own", "more.py", "acme.tasks", "/srv/x"]\nworkers = 3\nmemory_max = "1mb"\n')
    modules = load(file, {}).settings.modules
    assert modules.paths == (str(tmp_path / "own"), str(tmp_path / "more.py"), "acme.tasks", "/srv/x")
    assert (modules.workers, modules.memory_max, modules.warm, modules.idle_timeout) == (3, 1024**2, 0, 60.0)


def test_what_is_no_place_is_refused_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "rota.toml"
    file.write_text('[modules]\npaths = ["own modules"]\n')
    with pytest.raises(Invalid) as raised:
        load(file, {})
    assert "rota.toml:2:" in str(raised.value.problems[0])
