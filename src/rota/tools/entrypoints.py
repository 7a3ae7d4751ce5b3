"""Tools of other packages, by entry points of the group `rota.tools`: each is a Tool, or several."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points

from rota.core.errors import Invalid
from rota.tools.base import Tool
from rota.tools.schema import check_schema

GROUP = "rota.tools"


def load_entry_points() -> list[Tool]:
    """All of them. Raises Invalid that names the package whose tools cannot be loaded."""
    return [tool for entry in entry_points(group=GROUP) for tool in _load(entry)]


def _load(entry: EntryPoint) -> Iterator[Tool]:
    where = f"{entry.dist.name if entry.dist else '?'}: {entry.name} = {entry.value}"
    try:
        found = entry.load()
        for tool in [found] if isinstance(found, Tool) else list(found):
            if not isinstance(tool, Tool):
                raise TypeError(f"{tool!r} is not a rota.tools.Tool")
            check_schema(tool.input_schema)
            check_schema(tool.output_schema)
            yield tool
    except Exception as error:
        raise Invalid(f"tools of {where} cannot be loaded: {type(error).__name__}: {error}") from error
