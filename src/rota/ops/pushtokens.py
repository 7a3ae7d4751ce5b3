"""Devices of users that are told of the ends of runs, and which of them watch a task."""

from rota.core.errors import NotFound


class UnknownDevice(NotFound):
    """The asker has registered no such device."""
