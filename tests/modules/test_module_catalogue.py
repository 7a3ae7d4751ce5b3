"""Which modules there are, and what is wrong with those that cannot be read."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rota.core.errors import Problem
from rota.modules.builtin import Builtin
from rota.modules.catalogue import Catalogue

GOOD = """\
import rota
print("printed while it is imported")

@rota.module
def hello(name: str, times: int = 1) -> str:
    return name * times
"""


def read(*paths: object, **more: Any) -> Catalogue:
    catalogue = Catalogue([str(path) for path in paths], env=os.environ, **more)
    catalogue.read()
    return catalogue


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.py").write_text(GOOD)
    return tmp_path


def test_modules_of_a_folder_stand_beside_those_that_come_with_rota(folder: Path) -> None:
    (folder / "_private.py").write_text("raise SystemExit")
    (folder / "no_module_here.py").write_text("x = 1")
    catalogue = read(folder)
    assert catalogue.problems == []
    assert {"hello", "sleep"} <= {definition.name for definition in catalogue.list()}
    hello = catalogue.find("hello")
    assert hello
    assert list(hello.parameters) == ["name", "times"]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("import os\nx = 1 / 0\n", "bad.py:2", "ZeroDivisionError: division by zero"),
        ("x = 1\ndef (\n", "bad.py:2", "SyntaxError"),
        (
            "import rota\n\n@rota.module\ndef f(x: set): ...\n",
            "bad.py:3",
            "the parameter x has a type that no parameter can have",
        ),
        ("import os\nos._exit(3)\n", "bad.py", "its import ended the process with code 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "bad.py", "signal 11"),
        ("raise SystemExit(4)\n", "bad.py:1", "SystemExit: 4"),
        ("import rota\n@rota.module\ndef sleep(): ...\n", "bad.py", "the module sleep is defined by Rota itself already"),
        ("import rota\n@rota.module\ndef hello(): ...\n", "good.py", "is defined by"),
    ],
)
def test_what_is_broken_is_told_by_file_and_line_and_keeps_no_other_from_being_served(
    folder: Path, text: str, where: str, message: str
) -> None:
    (folder / "bad.py").write_text(text)
    catalogue = read(folder)
    (broken,) = catalogue.problems
    assert broken.where == str(folder / where)
    assert message in broken.message
    assert catalogue.find("hello")


def test_a_file_and_an_import_path_may_be_named_and_must_have_modules(folder: Path) -> None:
    (folder / "empty.py").write_text("x = 1")
    catalogue = read(folder / "good.py", folder / "empty.py", "rota.modules.builtin.sleep:nothing", "no.such", folder / "none")
    assert catalogue.find("hello")
    assert [broken.where.rpartition("/")[2] for broken in catalogue.problems] == [
        "none", "empty.py", "rota.modules.builtin.sleep:nothing", "no.such"
    ]  # fmt: skip


def test_an_unknown_name_is_explained_by_the_nearest_or_by_what_could_not_be_read(folder: Path) -> None:
    catalogue = read(folder, folder / "none")
    assert catalogue.explain_unknown("helo") == "there is no module 'helo'; did you mean hello?"
    assert "there is no such file or folder" in catalogue.explain_unknown("indexing")


def test_a_changed_file_is_read_anew_when_that_is_asked_for(folder: Path) -> None:
    catalogue = read(folder)
    (folder / "good.py").write_text(GOOD.replace("hello", "goodbye"))
    assert catalogue.find("hello")
    catalogue.read()
    assert not catalogue.find("hello")
    assert catalogue.find("goodbye")


def test_a_module_of_ours_may_say_more_than_its_definition_about_what_fits() -> None:
    def refuse(params: Mapping[str, Any]) -> list[Problem]:
        return [Problem("runtime", "is odd")] if params["runtime"] % 2 else []

    catalogue = read(builtins={"sleep": Builtin("rota.modules.builtin.sleep", check=refuse)})
    assert [str(problem.location) for problem in catalogue.check("sleep", {"runtime": 1}, "at")] == ["at.runtime"]
    assert catalogue.check("sleep", {"runtime": "x"}, "at")[0].message == "must be a whole number"
    assert catalogue.check("sleep", {"runtime": 2}) == []
