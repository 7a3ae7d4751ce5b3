"""What is wrong with params of our modules beyond their types, found when a task is saved."""

from collections.abc import Callable, Mapping
from typing import Any

from rota.core.errors import Invalid, Problem

Check = Callable[[Mapping[str, Any]], list[Problem]]


def no_problems(params: Mapping[str, Any]) -> list[Problem]:
    return []


def check_records(params: Mapping[str, Any]) -> list[Problem]:
    """`search`, `set_unset_tags` and `create_object`, where they are given (contract §7)."""
    from rota.modules.records.creation import read_create_object
    from rota.modules.records.search import read_search
    from rota.modules.records.tagging import read_tag_change

    readers: dict[str, Callable[[Any, str], Any]] = {
        "search": read_search,
        "set_unset_tags": read_tag_change,
        "create_object": read_create_object,
    }
    given = [(name, read) for name, read in readers.items() if params.get(name) is not None]
    return [problem for name, read in given for problem in _problems(read, params[name], name)]


def check_consolidation(params: Mapping[str, Any]) -> list[Problem]:
    sources, target = params["source_system_object_ids"], params["target_system_object_id"]
    if target in sources:
        return [Problem("source_system_object_ids", "must not hold the target", target)]
    return []


def check_http(params: Mapping[str, Any]) -> list[Problem]:
    """The URL, as far as it can be told without calling it, and headers."""
    from rota.outgoing.address import Refused, read_url

    problems = []
    try:
        read_url(params["url"])
    except Refused as error:
        problems.append(Problem("url", str(error)))
    headers = params.get("headers") or {}
    if not isinstance(headers, dict) or not all(_is_header(name, value) for name, value in headers.items()):
        problems.append(Problem("headers", "must be an object of names and texts, without line breaks"))
    return problems


def check_sql(params: Mapping[str, Any]) -> list[Problem]:
    values = params.get("parameters") or {}
    fits = isinstance(values, dict) and all(isinstance(value, str | int | float | None) for value in values.values())
    return [] if fits else [Problem("parameters", "must be an object of names and texts, numbers, true, false or null")]


def check_archive(params: Mapping[str, Any]) -> list[Problem]:
    return [problem for name in ("source", "target") for problem in _check_path(name, params[name])]


def check_checksum(params: Mapping[str, Any]) -> list[Problem]:
    manifest = params.get("manifest")
    return _check_path("folder", params["folder"]) + (_check_path("manifest", manifest) if manifest is not None else [])


def check_mail(params: Mapping[str, Any]) -> list[Problem]:
    bad = [address for address in params.get("to") or () if not _is_address(address)]
    problems = [Problem("to", "must be mail addresses such as ops@example.com", bad[0][:100])] if bad else []
    return problems + [problem for path in params.get("attach") or () for problem in _check_path("attach", path)]


def _problems(read: Callable[[Any, str], Any], value: Any, name: str) -> list[Problem]:
    try:
        read(value, name)
    except Invalid as error:
        return error.problems
    return []


def _check_path(name: str, path: str) -> list[Problem]:
    if path.startswith("/") and "\x00" not in path:
        return []
    return [Problem(name, "must be an absolute path", path[:100])]


def _is_header(name: Any, value: Any) -> bool:
    texts = isinstance(name, str) and isinstance(value, str) and value.isascii()
    return texts and name.replace("-", "").replace("_", "").isalnum() and name.isascii() and not set(value) & set("\r\n\0")


def _is_address(text: str) -> bool:
    local, sign, host = text.rpartition("@")
    return bool(local and sign and host) and text.isprintable() and not set(text) & set(" ,;<>\"'()[]\\:")
