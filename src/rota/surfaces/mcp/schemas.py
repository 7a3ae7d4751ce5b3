"""JSON Schemas of what tools take and answer, from the structs themselves."""

from functools import lru_cache
from typing import Any

import msgspec

from rota.surfaces.mcp.asking import McpTool

REF = "#/$defs/{name}"


@lru_cache(maxsize=64)
def takes(tool: McpTool) -> dict[str, Any]:
    """Of its arguments."""
    return _object(tool.takes)


@lru_cache(maxsize=64)
def answers(tool: McpTool) -> dict[str, Any]:
    """Of its result."""
    return _object(tool.answers)


def _object(model: Any) -> dict[str, Any]:
    """MCP wants `type: object` at the root, where msgspec has a reference."""
    (root,), found = msgspec.json.schema_components([model], ref_template=REF)
    name = root["$ref"].rpartition("/")[2]
    others = {other: schema for other, schema in found.items() if other != name}
    return {**found[name], **({"$defs": others} if others else {})}
