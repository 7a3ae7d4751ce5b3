"""The extra that brings SQLAlchemy."""

from importlib.util import find_spec

from rota.core.errors import Unavailable


def need_sqlalchemy(name: str) -> None:
    """Raises Unavailable that says how it is installed."""
    if find_spec("sqlalchemy") is None:
        raise Unavailable(f"{name} needs SQLAlchemy: pip install rota[sql]")
