"""Where modules are written: files and import paths, and how they are loaded. Only processes of their own do that."""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from msgspec import Struct

from rota.modules.decorator import Module, find_module


class Source(Struct, frozen=True, kw_only=True):
    """One place.

    kind        `file`: a path · `import`: a dotted name, with `:attribute` or without
    told_by     who says so, for messages, such as `modules.paths` or the name of a package
    must_have   whether it is an error if no module is there
    """

    kind: Literal["file", "import"]
    where: str
    told_by: str
    must_have: bool = True


class Broken(Struct, frozen=True):
    """A place that cannot be used. `where` has the line, if one is to blame: `/srv/modules/a.py:12`."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class BrokenSource(Exception):
    def __init__(self, broken: Broken) -> None:
        super().__init__(str(broken))
        self.broken = broken


def load_source(source: Source) -> dict[str, Module]:
    """The modules there, by name. Runs what is written there. Raises BrokenSource, whatever was wrong."""
    try:
        found = _found_in(source)
    except (Exception, SystemExit) as error:
        raise BrokenSource(_blame(source, error)) from error
    if not found and source.must_have:
        raise BrokenSource(Broken(source.where, "has no function with @rota.module"))
    return {each.definition.name: each for each in found}


def _found_in(source: Source) -> list[Module]:
    if source.kind == "file":
        return _modules_of(_load_file(Path(source.where)))
    path, _, attribute = source.where.partition(":")
    loaded = importlib.import_module(path)
    return _modules_in(_attribute_of(loaded, attribute)) if attribute else _modules_of(loaded)


def _load_file(path: Path) -> ModuleType:
    """Under a name that no other module has; what stands beside it can be imported by its own name."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    name = f"rota_module_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not Python")
    loaded = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def _modules_of(loaded: ModuleType) -> list[Module]:
    """Each once, whatever names it has there."""
    found = {id(each): each for each in map(find_module, list(vars(loaded).values())) if each}
    return list(found.values())


def _attribute_of(loaded: ModuleType, path: str) -> Any:
    value: Any = loaded
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _modules_in(value: Any) -> list[Module]:
    """An entry point may name a module, a Python module with modules, or a list of modules."""
    if isinstance(value, ModuleType):
        return _modules_of(value)
    each = list(value) if isinstance(value, list | tuple) else [value]
    found = [find_module(one) for one in each]
    if None in found:
        raise TypeError("is not a function with @rota.module, nor a list of them")
    return [one for one in found if one]


def _blame(source: Source, error: BaseException) -> Broken:
    """The last line of the source's own file that had a part in it."""
    if isinstance(error, SyntaxError) and error.filename:
        return Broken(f"{error.filename}:{error.lineno or 1}", f"SyntaxError: {error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if source.kind == "file" and frame.filename == source.where]
    strange = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    blamed = (own or [frame for frame in strange if "/rota/modules/" not in frame.filename])[-1:]
    where = f"{blamed[0].filename}:{blamed[0].lineno}" if blamed else source.where
    text = " ".join(str(error).split())[:500]
    return Broken(where, f"{type(error).__name__}: {text}" if text else type(error).__name__)
