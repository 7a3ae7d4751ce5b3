"""Handler of modules."""

from msgspec import Struct

from rota.core.module import Definition
from rota.http.reply import Reply, ok
from rota.http.routes import Ask
from rota.ops import modules


class ModuleList(Struct):
    items: list[Definition]


async def list_modules(ask: Ask) -> Reply:
    return ok(ModuleList(modules.list_modules(ask.rota, ask.actor)))
