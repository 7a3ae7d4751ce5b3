"""Which modules there are: those that come with Rota, and those that packages and the settings bring."""

import asyncio
import importlib
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from rota.config import Settings
from rota.config.modules import is_path
from rota.core.errors import Problem
from rota.core.module import Definition, find_problems
from rota.modules.builtin import BUILTINS, Builtin, gather_given
from rota.modules.decorator import find_module
from rota.modules.describe import Found
from rota.modules.source import Broken, Source

GROUP = "rota.modules"
# For all sources that one process reads. What takes longer does its work where it should only say what it is.
READ_S = 20.0
# What stands for the value of a secret.
HIDDEN = "[redacted]"


def build_catalogue(settings: Settings, env: Mapping[str, str]) -> "Catalogue":
    """What the settings, the packages and Rota itself bring; nothing is read yet. `env` is that of the modules' processes."""
    return Catalogue(settings.modules.paths, gather_given(settings), env)


class Known(Struct, frozen=True):
    """A module with the place it is loaded from, and what of the settings its runs are given."""

    definition: Definition
    source: Source
    given: Mapping[str, Any] = {}
    is_builtin: bool = False


class Catalogue:
    """Modules by name. Those of the settings and of packages are read by `read`, those that come with Rota when asked for.

    paths     folders, files and import paths, as the settings say
    given     what of the settings the runs of a built-in module are given
    env       variables of the process that reads
    problems  sources that cannot be used; the others can
    """

    def __init__(
        self,
        paths: Sequence[str] = (),
        given: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        builtins: Mapping[str, Builtin] = BUILTINS,
    ) -> None:
        self._paths = paths
        self._given = given or {}
        self._env = dict(env or {})
        self._builtins = builtins
        self._own: dict[str, Known] = {}
        self._others: dict[str, Known] = {}
        self._secret_names: frozenset[str] | None = None
        self.problems: list[Broken] = []

    def read(self) -> list[Broken]:
        """Read the sources anew, in a process of their own; takes as long as they take to import, none where there are none."""
        problems: list[Broken] = []
        sources = [*_entry_point_sources(), *_path_sources(self._paths, problems)]
        others: dict[str, Known] = {}
        for source, definitions in _read_all(sources, self._env, problems):
            for definition in definitions:
                taken = others.get(definition.name)
                if definition.name in self._builtins or taken:
                    by = taken.source.where if taken else "Rota itself"
                    problems.append(Broken(source.where, f"the module {definition.name} is defined by {by} already"))
                else:
                    others[definition.name] = Known(definition, source)
        self._others, self.problems, self._secret_names = others, problems, None
        return problems

    async def reread(self) -> list[Broken]:
        return await asyncio.to_thread(self.read)

    def give(self, given: Mapping[str, Mapping[str, Any]]) -> None:
        """What the runs of built-in modules are given from now on."""
        self._given = given
        self._own.clear()

    def find(self, name: str) -> Definition | None:
        known = self.find_known(name)
        return known.definition if known else None

    def find_known(self, name: str) -> Known | None:
        return self._others.get(name) or self._find_own(name)

    def explain_unknown(self, name: str) -> str:
        """Why there is no such module, with the nearest name, or the source that could not be read."""
        names = [*self._builtins, *self._others]
        near = get_close_matches(name[:100], names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        broken = f"; {self.problems[0]} could not be read" if self.problems and not near else ""
        return f"there is no module {name[:100]!r}{hint}{broken}"

    def check(self, name: str, params: Mapping[str, Any], at: str = "params") -> list[Problem]:
        """What is wrong with values for a module that is there, at `<at>.<name>`."""
        known = self.find_known(name)
        if known is None:
            return []
        problems = find_problems(known.definition, params, at)
        if problems or not known.is_builtin:
            return problems
        return [
            Problem(f"{at}.{problem.location}", problem.message, problem.value) for problem in self._builtins[name].check(params)
        ]

    def hide(self, params: Mapping[str, Any], module: str | None = None) -> dict[str, Any]:
        """Params as they may be shown: without the secrets of a module or, where it is not known which, of any module."""
        definition = self.find(module) if module else None
        names = definition.secret_names if definition else self._all_secret_names if params else ()
        return {name: HIDDEN if name in names and value else value for name, value in params.items()}

    def keep_hidden(self, module: str, params: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        """Params that come back as they were shown: what is hidden stays what it was."""
        definition = self.find(module)
        names = definition.secret_names if definition else ()
        return {name: stored.get(name) if name in names and value == HIDDEN else value for name, value in params.items()}

    @property
    def _all_secret_names(self) -> frozenset[str]:
        if self._secret_names is None:
            self._secret_names = frozenset(name for definition in self.list() for name in definition.secret_names)
        return self._secret_names

    def _find_own(self, name: str) -> Known | None:
        if name not in self._own and name in self._builtins:
            path = self._builtins[name].path
            found = [each for each in map(find_module, vars(importlib.import_module(path)).values()) if each]
            definition = next(each.definition for each in found if each.definition.name == name)
            source = Source(kind="import", where=path, told_by="Rota")
            self._own[name] = Known(definition, source, self._given.get(name, {}), is_builtin=True)
        return self._own.get(name)

    def list(self) -> list[Definition]:
        """All there are, by name."""
        known = [*(self._find_own(name) for name in self._builtins), *self._others.values()]
        return sorted((each.definition for each in known if each), key=lambda definition: definition.name)


def _entry_point_sources() -> Iterable[Source]:
    for entry in entry_points(group=GROUP):
        package = entry.dist.name if entry.dist else "?"
        yield Source(kind="import", where=entry.value.split("[")[0].strip(), told_by=f"the package {package}")


def _path_sources(paths: Sequence[str], problems: list[Broken]) -> Iterable[Source]:
    for path in paths:
        where = Path(path)
        if not is_path(path):
            yield Source(kind="import", where=path, told_by="modules.paths")
        elif where.is_dir():
            files = sorted(file for file in where.glob("*.py") if not file.name.startswith("_"))
            yield from (Source(kind="file", where=str(file), told_by="modules.paths", must_have=False) for file in files)
        elif where.is_file():
            yield Source(kind="file", where=str(where), told_by="modules.paths")
        else:
            problems.append(Broken(path, "there is no such file or folder"))


def _read_all(sources: list[Source], env: Mapping[str, str], problems: list[Broken]) -> Iterable[tuple[Source, list[Definition]]]:
    """Goes on behind a source that takes the whole process with it."""
    while sources:
        answers, died = _ask(sources, env)
        for found in answers:
            if found.broken:
                problems.append(found.broken)
            elif found.definitions is not None:
                yield sources[found.number], found.definitions
        reached = max((found.number for found in answers), default=-1)
        if died is None or reached < 0:
            if died:
                problems.append(Broken(sources[0].where, died))
            return
        if not any(found.number == reached and (found.broken or found.definitions is not None) for found in answers):
            problems.append(Broken(sources[reached].where, died))
        sources = sources[reached + 1 :]


def _ask(sources: list[Source], env: Mapping[str, str]) -> tuple[list[Found], str | None]:
    """What one process says, and why it ended early, if it did."""
    command = [sys.executable, "-P", "-m", "rota.modules.describe"]
    died = None
    try:
        done = subprocess.run(
            command, input=msgspec.json.encode(sources), env=dict(env), capture_output=True, timeout=READ_S, check=False
        )
        lines = done.stdout
        if done.returncode:
            ended = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            died = ": ".join([f"its import ended the process with {ended}", *last])
    except subprocess.TimeoutExpired as error:
        lines, died = error.stdout or b"", f"its import takes longer than {READ_S:g} s"
    return [msgspec.json.decode(line, type=Found) for line in lines.splitlines()], died
