"""The page on modules does what it says, and its example is the one in examples/."""

import os
import re
from pathlib import Path
from typing import get_args

from tests.module_workbench import at_work

from rota.config import load
from rota.core.actor import OPERATOR
from rota.core.module import ParameterType
from rota.core.work import Module, Pipeline
from rota.modules import Context
from rota.modules.catalogue import Catalogue
from rota.ops.modules import check_module, find_misfits
from rota.outgoing import Guard, Outgoing
from rota.tools import build_toolbox

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "modules"
PAGE = (ROOT / "docs" / "modules.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TOML = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_shows_the_example_as_it_is() -> None:
    assert [(EXAMPLE / "word_count.py").read_text()] == PYTHON
    assert TOML[0] in (EXAMPLE / "rota.toml").read_text()
    assert len(PYTHON[0].split("@rota")[1].splitlines()) <= 15


def test_the_example_can_be_saved_and_run(tmp_path: Path) -> None:
    loaded = load(EXAMPLE / "rota.toml", {})
    catalogue = Catalogue(loaded.settings.modules.paths, env=os.environ)
    assert catalogue.read() == []
    (unit,) = loaded.units
    assert find_misfits(catalogue, unit.spec) == []
    assert check_module(OPERATOR, unit.spec, catalogue) == []
    work = unit.spec.executor
    assert isinstance(work, Module)
    folder = str(ROOT / "examples" / "quickstart" / "notes")
    text = PYTHON[0].replace("import rota\n", "")
    result = at_work(tmp_path, text, lambda shop: shop.run(work.module, params={"folder": folder}))
    assert result.outcome.state == "succeeded"
    assert set(result.outcome.output) == {"backups.txt", "plants.txt"}
    assert result.outcome.progress == 100


def test_its_pipeline_uses_a_module_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "rota.toml").write_text(TOML[1])
    loaded = load(tmp_path / "rota.toml", {})
    catalogue = Catalogue([str(EXAMPLE / "word_count.py")], env=os.environ)
    catalogue.read()
    toolbox = build_toolbox(loaded.settings, Outgoing(Guard()), catalogue)
    (unit,) = loaded.units
    assert isinstance(unit.spec.executor, Pipeline)
    assert toolbox.check(unit.spec.executor, OPERATOR) == []


def test_every_type_and_every_part_of_the_context_is_on_the_page() -> None:
    assert all(f"| {kind} |" in PAGE for kind in get_args(ParameterType))
    names = {name for name in vars(Context) if not name.startswith("_")} - {"cancel", "touched_state"}
    assert {name for name in names if f"`{name}" not in PAGE} == set()
