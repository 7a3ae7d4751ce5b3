"""Texts of our modules, in the languages they have."""

from typing import Any

from rota.core.module import Texts
from rota.modules.hints import Param


def both(english: str, german: str) -> Texts:
    return {"en-US": english, "de-DE": german}


def param(name: tuple[str, str], text: tuple[str, str], **more: Any) -> Param:
    """A parameter's name and description, English before German."""
    return Param(displayname=both(*name), description=both(*text), **more)
