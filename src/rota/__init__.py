"""Rota: one server that plans, durably runs and records tasks."""

__version__ = "0.1.0"
