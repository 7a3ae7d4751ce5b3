"""Puts the parts together, and keeps them from the first moment to the last."""

from rota.server.server import Server
from rota.server.source import Source

__all__ = ["Server", "Source"]
