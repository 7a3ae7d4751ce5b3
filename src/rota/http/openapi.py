"""OpenAPI 3.1 of a surface, made from its list of routes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import UNSET, inspect

from rota import __version__
from rota.http.routes import Route

REF = "#/components/schemas/{name}"
# What any route with a key or a body may answer.
ALWAYS, WITH_BODY, WITH_QUERY = (401, 503), (400, 413, 415, 422), (422,)


BEARER = {"bearer": {"type": "http", "scheme": "bearer"}}


def openapi(
    title: str,
    routes: Sequence[Route],
    problem: type,
    *,
    problem_media_type: str,
    schemes: Mapping[str, dict[str, str]] = BEARER,
) -> dict[str, Any]:
    """The whole document. `problem` describes the body of every error, `schemes` the ways to show a key."""
    shapes = _shapes(routes, problem)
    schemas, components = msgspec.json.schema_components(shapes, ref_template=REF)
    known = {_key(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    error = {problem_media_type: {"schema": known[_key(problem)]}}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, known, error)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": __version__},
        "security": [{name: []} for name in schemes],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": dict(schemes)},
    }


def _shapes(routes: Sequence[Route], problem: type) -> list[Any]:
    found: dict[Any, Any] = {_key(problem): problem}
    for route in routes:
        for shape in (_body_shape(route), route.reply):
            if shape is not None:
                found[_key(shape)] = shape
    return list(found.values())


def _key(shape: Any) -> str:
    return repr(shape)


def _body_shape(route: Route) -> Any:
    return route.shown_body or route.body


def _operation(route: Route, known: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {str(route.status): _success(route, known)} | _failures(route, error),
    }
    shape = _body_shape(route)
    if shape is not None:
        content = {"application/json": {"schema": known[_key(shape)]}}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    if route.is_open or route.is_public:
        operation["security"] = [{}, {"bearer": []}]
    return operation


def _success(route: Route, known: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.reply is not None:
        described["content"] = {route.media_type: {"schema": known[_key(route.reply)]}}
    elif route.media_type != "application/json":
        described["content"] = {route.media_type: {"schema": {"type": "string"}}}
    return described


def _failures(route: Route, error: dict[str, Any]) -> dict[str, Any]:
    statuses = {*ALWAYS, *route.errors, *((403,) if route.scopes else ())}
    statuses |= set(WITH_BODY) if route.body is not None else set()
    statuses |= set(WITH_QUERY) if route.query is not None else set()
    return {str(status): {"description": HTTPStatus(status).phrase, "content": error} for status in sorted(statuses)}


def _path_parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)(?::\w+)?}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(route: Route) -> Iterator[dict[str, Any]]:
    if route.query is None:
        return
    described = msgspec.json.schema(route.query)["$defs"][route.query.__name__]["properties"]
    info = inspect.type_info(route.query)
    for item in getattr(info, "fields", ()):
        schema = described[item.encode_name]
        parameter = {"name": item.encode_name, "in": "query", "required": item.required, "schema": schema}
        if item.default is UNSET:
            schema.pop("default", None)
        yield parameter
