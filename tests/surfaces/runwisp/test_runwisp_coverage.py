"""The page of what is the same speaks of every route and field, and the tests it names exist."""

import re
from pathlib import Path

from rota.surfaces import runwisp
from rota.surfaces.runwisp import wire

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "src/rota/surfaces/runwisp/COVERAGE.md").read_text()


def test_every_route_has_its_line() -> None:
    told = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", PAGE, re.MULTILINE))
    assert told == {f"{route.method} {route.path}" for route in runwisp.ROUTES}


def test_every_field_of_a_task_has_its_line() -> None:
    section = PAGE.partition("## A task's fields")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(wire.Task.__struct_fields__)


def test_every_test_that_is_named_exists() -> None:
    for file, name in re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE):
        [path] = (ROOT / "tests").rglob(file)
        assert f"def {name}(" in path.read_text(), f"{file}::{name}"
