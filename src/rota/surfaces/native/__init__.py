"""The native API: everything that can be asked of Rota, at `/v1`."""

from rota.surfaces.native.routes import ROUTES, app, control_app

__all__ = ["ROUTES", "app", "control_app"]
