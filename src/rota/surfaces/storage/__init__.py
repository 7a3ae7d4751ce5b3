"""The way to artifacts that are kept in the data directory, for whoever has a signed form or link."""

from rota.surfaces.storage.app import app

__all__ = ["app"]
