"""Notifiers and routes out of the files: each checked, and every target that is named a notifier there is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from rota.config.document import Document, Table
from rota.config.expand import read_text
from rota.config.findings import nearest
from rota.config.kinds import BadValue
from rota.config.notify_keys import COMMON_KEYS, MATCH_KEYS, ROUTE_KEYS, TYPES, NotifierKey
from rota.config.settings import NotifyRules
from rota.core.message import FIELDS, find_unknown_fields
from rota.core.notification import BELL, Route, Rules
from rota.core.push import PushRules

TARGET_LISTS = ("notify_on_failure", "notify_on_success")


class Notifier(Struct, frozen=True, kw_only=True):
    """Somebody to tell, and how. `values` are the keys of its type as read, secrets as Secret; `template` the file's content."""

    id: str
    type: str
    values: dict[str, Any] = {}
    template: str | None = None


class Notifying(Struct, frozen=True):
    """What all files together say. A reload may change it."""

    notifiers: tuple[Notifier, ...] = ()
    routes: tuple[Route, ...] = ()


def build_rules(notify: NotifyRules, notifying: Notifying, push: PushRules | None = None) -> Rules:
    """Who is told of what, as the engine takes it."""
    return Rules(
        always=notify.global_notifiers,
        routes=notifying.routes,
        window_s=notify.coalesce_window,
        ring=notify.occurrence_ring,
        outbound=notify.coalesce_outbound,
        budget_s=notify.default_timeout,
        notifiers=frozenset(notifier.id for notifier in notifying.notifiers),
        push=push,
    )


def read_notifying(documents: Sequence[Document], unit_tables: Sequence[Table]) -> Notifying:
    """Errors go to the documents' findings, those of units and [notify] that name a notifier there is not among them."""
    known: dict[str, Table] = {}
    notifiers = [found for table in _notifier_tables(documents) if (found := _read_notifier(table, known))]
    routes = [route for table in _route_tables(documents) if (route := _read_route(table, known))]
    for table in unit_tables:
        for key in TARGET_LISTS:
            _check_targets(table, known, key)
    notify = documents[0].root.child("notify") if documents else None
    if notify is not None:
        _check_targets(notify, known, "global_notifiers")
    return Notifying(tuple(notifiers), tuple(routes))


def _notifier_tables(documents: Sequence[Document]) -> Iterator[Table]:
    for document in documents:
        yield from document.root.children("notifier")


def _route_tables(documents: Sequence[Document]) -> Iterator[Table]:
    for document in documents:
        yield from document.root.children("notification_route")


def _read_notifier(table: Table, known: dict[str, Table]) -> Notifier | None:
    before = len(table.document.findings.errors)
    kind = table.values.get("type")
    keys = TYPES.get(kind) if isinstance(kind, str) else None
    if keys is None:
        said = f"must be one of {', '.join(TYPES)}{nearest(kind, TYPES)}" if isinstance(kind, str) else "needs a type"
        table.error(said, *(["type"] if isinstance(kind, str) else []))
        keys = ()
    else:
        table.refuse_unknown([key.name for key in (*COMMON_KEYS, *keys)])
    values = _read_keys(table, (*COMMON_KEYS, *keys))
    identity = values.pop("id", None)
    if identity is not None:
        _claim_id(table, identity, known)
    _check_mail(table, values)
    template = _read_template(table, values.pop("template_path", None))
    if len(table.document.findings.errors) > before:
        return None
    return Notifier(id=identity, type=values.pop("type"), values=values, template=template)


def _read_keys(table: Table, keys: Sequence[NotifierKey]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in keys:
        value = table.read(key.name, key.kind)
        if value is not None:
            values[key.name] = value
        elif key.required and key.name not in table.values and key.name != "type":
            table.error(f"needs {key.name}")
    return values


def _claim_id(table: Table, identity: str, known: dict[str, Table]) -> None:
    other = known.setdefault(identity, table)
    if other is not table:
        table.error(f"the id {identity} is taken by {other.document.path}:{other.line}", "id")


def _check_mail(table: Table, values: dict[str, Any]) -> None:
    if values.get("type") != "smtp":
        return
    given = [key for key in ("username", "password") if key in values]
    if len(given) == 1:
        table.error("username and password go together", given[0], on_key=True)
    if given and values.get("tls") == "none":
        table.error("would send the password in the clear; use starttls or implicit", "tls")


def _read_template(table: Table, path: str | None) -> str | None:
    if path is None:
        return None
    try:
        text = read_text(Path(table.document.resolve(path)))
    except BadValue as error:
        table.error(str(error), "template_path")
        return None
    for field in find_unknown_fields(text):
        table.error(f"holds {{{{{field}}}}}, and the fields are {', '.join(FIELDS)}{nearest(field, FIELDS)}", "template_path")
    return text


def _read_route(table: Table, known: dict[str, Table]) -> Route | None:
    before = len(table.document.findings.errors)
    table.refuse_unknown(ROUTE_KEYS)
    targets = table.read("notify", ROUTE_KEYS["notify"][0])
    if "notify" not in table.values:
        table.error("needs notify")
    _check_targets(table, known, "notify")
    match = table.child("match")
    found: dict[str, Any] = {}
    if match is not None:
        match.refuse_unknown(MATCH_KEYS)
        found = {key: match.read(key, kind) for key, kind in MATCH_KEYS.items()}
    if len(table.document.findings.errors) > before:
        return None
    return Route(
        targets=tuple(targets),
        kinds=frozenset(found.get("kind") or ()),
        severities=frozenset(found.get("severity") or ()),
        task=found.get("task"),
    )


def _check_targets(table: Table, known: dict[str, Table], key: str) -> None:
    """Names that no notifier has. What is no list of texts was told of already."""
    targets = table.values.get(key)
    for number, target in enumerate(targets if isinstance(targets, list) else []):
        identity = target.partition(":")[0] if isinstance(target, str) else BELL
        if identity not in (BELL, *known):
            table.error(f"there is no notifier {identity}{nearest(identity, [BELL, *known])}", key, number)
