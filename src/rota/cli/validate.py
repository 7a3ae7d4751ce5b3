"""`rota validate`: what is wrong with a settings file."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from rota.cli.command import with_place
from rota.cli.errors import FAILED, OK, Failure
from rota.cli.output import show_json
from rota.cli.place import Place
from rota.core.errors import Invalid

if TYPE_CHECKING:
    from rota.config import Finding, Loaded


@click.command("validate", short_help="Check the settings file and start nothing.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@with_place
def command(place: Place, file: Path | None) -> int:
    """Check the settings FILE (rota.toml here if none is named) as the server would, and start nothing.

    Prints each problem as `file:line:column key: message`. Exit code 1 if there is an error; warnings are none.
    """
    from rota.config import report

    result = check(file, place)
    if place.as_json:
        show_json(as_dict(result))
    else:
        print("\n".join(report(result)), file=sys.stderr if isinstance(result, Invalid) else sys.stdout)
    return FAILED if isinstance(result, Invalid) else OK


def check(file: Path | None, place: Place) -> "Loaded | Invalid":
    """What the loader makes of the file. Raises Failure when there is no file to check."""
    from rota.cli.sources import config_file
    from rota.config import load

    path = config_file(file or place.config)
    if path is None:
        raise Failure(f"there is no rota.toml in {Path.cwd()}", code="usage", hint="name the file: rota validate FILE")
    try:
        return with_tools(with_modules(load(path, os.environ, place.flags)))
    except Invalid as error:
        return error


def with_modules(loaded: "Loaded") -> "Loaded":
    """The same, with a warning for each module that cannot be used, and for each task whose module would not take its params:
    the server serves the others.
    """
    from rota.core.work import Module

    if not loaded.settings.modules.paths and not any(isinstance(unit.spec.executor, Module) for unit in loaded.units):
        return loaded
    from rota.config.findings import at_place, elsewhere
    from rota.config.positions import Place
    from rota.executors.environment import inherited
    from rota.modules.catalogue import build_catalogue
    from rota.ops.modules import find_misfits

    catalogue = build_catalogue(loaded.settings, inherited(os.environ))
    found = [elsewhere("modules.paths", str(broken)) for broken in catalogue.read()]
    for unit in loaded.units:
        place = Place(unit.line, 1)
        found += [at_place(unit.file, place, ("tasks", unit.name), why) for why in find_misfits(catalogue, unit.spec)]
    return structs.replace(loaded, warnings=[*loaded.warnings, *found])


def with_tools(loaded: "Loaded") -> "Loaded":
    """The same, with a warning for each step of a pipeline that calls a tool which is not there. Raises Invalid for tools of the
    settings that cannot be used."""
    from rota.core.work import Pipeline

    pipelines = [(unit, unit.spec.executor) for unit in loaded.units if isinstance(unit.spec.executor, Pipeline)]
    if not pipelines:
        return loaded
    from rota.config.findings import at_place
    from rota.config.positions import Place
    from rota.core.actor import OPERATOR
    from rota.executors.environment import inherited
    from rota.modules.catalogue import build_catalogue
    from rota.outgoing import Guard, Outgoing
    from rota.tools import build_toolbox
    from rota.tools.module import ModuleTools

    catalogue = build_catalogue(loaded.settings, inherited(os.environ))
    if any(step.uses.startswith(ModuleTools.prefix) for _, work in pipelines for step in work.steps):
        catalogue.read()
    tools = build_toolbox(loaded.settings, Outgoing(Guard()), catalogue)
    found = [
        at_place(unit.file, Place(unit.line, 1), ("tasks", unit.name, *problem.location.split(".")), problem.message)
        for unit, work in pipelines
        for problem in tools.check(work, OPERATOR)
    ]
    return structs.replace(loaded, warnings=[*loaded.warnings, *found])


def as_dict(result: "Loaded | Invalid") -> dict[str, Any]:
    """`ok`, the errors and warnings with their places, and for a good file the names of its units."""
    if isinstance(result, Invalid):
        return {"ok": False, "errors": [_finding(problem) for problem in result.problems], "warnings": []}
    names = [unit.spec.name for unit in result.units]
    return {"ok": True, "errors": [], "warnings": [_finding(finding) for finding in result.warnings], "units": names}


def _finding(finding: "Finding | Any") -> dict[str, Any]:
    return {
        "file": finding.file or None,
        "line": finding.line or None,
        "column": finding.column or None,
        "key": finding.key or None,
        "message": finding.message,
    }
