"""What a module is written with: the decorator, and what a running module is given."""

from rota.modules.context import Cancelled, Context
from rota.modules.decorator import module
from rota.modules.hints import Param, Secret

__all__ = ["Cancelled", "Context", "Param", "Secret", "module"]
