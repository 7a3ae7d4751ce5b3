"""A run as a notification's webhook shows it (RunWisp §15)."""

from rota.core.occurrence import latest
from rota.core.run import Run
from rota.modules.catalogue import Catalogue
from rota.ops.occurrences import Shown
from rota.surfaces.runwisp import translate, wire


def show_run(modules: Catalogue, run: Run, task_name: str) -> wire.Run:
    """The attempt that the notification is about, under its own id."""
    return translate.run_wire(Shown(latest(run, ()), task_name), modules)
