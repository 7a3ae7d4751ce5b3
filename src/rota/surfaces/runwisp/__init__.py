"""RunWisp's API: cron tasks and services of the installation, as its clients know them."""

from rota.surfaces.runwisp.routes import ROUTES, app, control_app, metrics_app

__all__ = ["ROUTES", "app", "control_app", "metrics_app"]
