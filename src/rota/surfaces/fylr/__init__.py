"""fylr's task endpoint: modules with parameters, run in the background for one user."""

from rota.surfaces.fylr.routes import ROUTES, app

__all__ = ["ROUTES", "app"]
