"""PostHog's Tasks API: projects, tasks for agents, their runs, artifacts and presence."""

from rota.surfaces.posthog.routes import OPS, app

__all__ = ["OPS", "app"]
