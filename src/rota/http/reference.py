"""A page of reference from an OpenAPI document: its routes, then its objects."""

from collections.abc import Iterable
from typing import Any

Schema = dict[str, Any]


def render_reference(title: str, introduction: str, document: Schema) -> str:
    """Markdown: one table of routes, one table of fields for each object."""
    return (
        "\n".join([f"# {title}", "", introduction, "", "## Routes", "", *_routes(document), *_objects(document)]).rstrip() + "\n"
    )


def _routes(document: Schema) -> Iterable[str]:
    yield from ("| Route | | Body | Answer |", "|---|---|---|---|")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"| `{method.upper()} {path}` | {operation['summary']} | {_body(operation)} | {_answers(operation)} |"
    yield ""


def _body(operation: Schema) -> str:
    return _content(operation.get("requestBody", {}))


def _answers(operation: Schema) -> str:
    """The good answer with its object, then the refusals."""
    good = [f"{status} {_content(answer)}".strip() for status, answer in operation["responses"].items() if status < "400"]
    bad = [status for status in operation["responses"] if status >= "400"]
    return "; ".join([*good, " ".join(bad)]) if bad else "; ".join(good)


def _content(described: Schema) -> str:
    return ", ".join(_type(content.get("schema", {})) for content in described.get("content", {}).values())


def _objects(document: Schema) -> Iterable[str]:
    yield from ("## Objects", "")
    for name, schema in sorted(document["components"]["schemas"].items()):
        if schema.get("properties"):
            yield from _object(name, schema)


def _object(name: str, schema: Schema) -> Iterable[str]:
    yield from (f"### {name}", "")
    if schema.get("description"):
        yield from (" ".join(schema["description"].split("\n\n")[0].split()), "")
    yield from ("| Field | Type | Default |", "|---|---|---|")
    required = schema.get("required", [])
    for field, described in schema["properties"].items():
        yield f"| `{field}` | {_cell(_type(described))} | {_default(described, field in required)} |"
    yield ""


def _default(described: Schema, is_required: bool) -> str:
    if is_required:
        return "required"
    default = described.get("default", {})
    return "" if default == {} else f"`{default}`"


def _type(schema: Schema) -> str:
    """A type in a few words: `string`, `integer 1 to 9`, `Task`, `"a" or "b"`."""
    match schema:
        case {"$ref": str(ref)}:
            return ref.rpartition("/")[2]
        case {"anyOf": list(choices)} | {"oneOf": list(choices)}:
            return " or ".join(dict.fromkeys(map(_type, choices)))
        case {"enum": list(values)}:
            return " or ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case {"type": str(kind)}:
            return f"{kind} {_bounds(schema)}".strip()
    return "any JSON"


def _bounds(schema: Schema) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"≥ {low}" if low is not None else f"≤ {high}" if high is not None else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
