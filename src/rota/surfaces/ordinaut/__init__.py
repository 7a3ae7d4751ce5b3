"""Ordinaut's API: agents schedule pipelines of tool calls, and read what became of them."""

from rota.surfaces.ordinaut.notices import write_notice
from rota.surfaces.ordinaut.routes import ROUTES, app

__all__ = ["ROUTES", "app", "write_notice"]
