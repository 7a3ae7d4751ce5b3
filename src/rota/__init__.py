"""Rota: one server that plans, durably runs and records tasks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rota.modules import Cancelled as Cancelled
    from rota.modules import Context as Context
    from rota.modules import Param as Param
    from rota.modules import Secret as Secret
    from rota.modules import module as module

__version__ = "0.1.0"
# What modules are written with. Loaded when it is asked for: whoever only wants the version, or the command line, needs none.
_OF_MODULES = ("Cancelled", "Context", "Param", "Secret", "module")


def __getattr__(name: str) -> Any:
    if name in _OF_MODULES:
        from rota import modules

        return getattr(modules, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
