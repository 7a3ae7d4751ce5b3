"""Ordinaut's API: agents schedule pipelines of tool calls, and read what became of them."""

from rota.surfaces.ordinaut.routes import ROUTES, app

__all__ = ["ROUTES", "app"]
