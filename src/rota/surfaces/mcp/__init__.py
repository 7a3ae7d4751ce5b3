"""The MCP server: an assistant makes tasks, runs them, and reads what became of them."""

from rota.surfaces.mcp.app import app, control_app
from rota.surfaces.mcp.routes import ROUTES
from rota.surfaces.mcp.tools import TOOLS

__all__ = ["ROUTES", "TOOLS", "app", "control_app"]
