"""The modules of one server: read at its start and with its settings; what is broken keeps nothing else from being served."""

import os
from collections.abc import Iterable

import structlog

from rota.config import Settings
from rota.core.task import TaskSpec
from rota.executors.environment import inherited
from rota.modules.catalogue import Catalogue, build_catalogue
from rota.modules.source import Broken
from rota.ops.modules import find_misfits

log = structlog.get_logger()


def read_modules(settings: Settings, specs: Iterable[TaskSpec]) -> Catalogue:
    """`specs`: the tasks of the settings file, whose params are looked at."""
    catalogue = build_catalogue(settings, inherited(os.environ))
    _tell(catalogue.read(), catalogue, specs)
    return catalogue


async def read_again(catalogue: Catalogue, specs: Iterable[TaskSpec]) -> None:
    _tell(await catalogue.reread(), catalogue, specs)


def _tell(problems: Iterable[Broken], catalogue: Catalogue, specs: Iterable[TaskSpec]) -> None:
    for broken in problems:
        log.error("a module cannot be used", where=broken.where, why=broken.message)
    for spec in specs:
        for why in find_misfits(catalogue, spec):
            log.error("a task's runs will fail", task=spec.name, why=why)
