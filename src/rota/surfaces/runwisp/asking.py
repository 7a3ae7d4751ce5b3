"""What requests say, read: names, run ids, filters, selectors."""

import re
from datetime import UTC, datetime
from typing import Any

from rota.core.errors import Invalid
from rota.core.ulid import ALPHABET, LENGTH, from_ulid
from rota.http.routes import Ask
from rota.ops import reading
from rota.ops.occurrences import Filter, Selection
from rota.store.occurrences import Order
from rota.surfaces.runwisp import wire, words

NAME = re.compile(r"[a-zA-Z0-9._:-]{1,100}")
CODE = re.compile(r"-?[0-9]{1,9}")


def task_of(ask: Ask) -> str:
    """Raises Invalid at `path.task`."""
    name = ask.path["task"]
    if not NAME.fullmatch(name):
        raise Invalid.at("path.task", "must have 1 to 100 of the characters a-z A-Z 0-9 . _ : -", name[:100])
    return name


def run_of(ask: Ask) -> str:
    """Raises Invalid at `path.id`."""
    return run_id_of(ask.path["id"], "path.id")


def order_of(query: wire.RunsQuery) -> Order:
    return Order(query.sort_field, query.sort_direction)


def filter_of(asked: wire.RunsQuery | wire.FilterBody, at: str = "query") -> Filter:
    """Raises Invalid at `<at>.<field>`. An empty text is as good as none."""
    return Filter(
        task=asked.task_name or None,
        search=asked.search or None,
        id_range=_id_range(asked.search or ""),
        states=words.states_of(_words(asked.status, [*words.PHASES, *words.END_REASONS], f"{at}.status"))
        if asked.status
        else None,
        triggers=_triggers(asked, at),
        created=(_moment(asked.created_after, f"{at}.created_after"), _moment(asked.created_before, f"{at}.created_before")),
        exit_codes=(_code(asked.exit_code_min, f"{at}.exit_code_min"), _code(asked.exit_code_max, f"{at}.exit_code_max")),
        retries=asked.retries_only,
    )


def selection_of(body: wire.Selector) -> Selection:
    """Raises Invalid at `body`."""
    if (body.ids is not None) == body.match_all:
        raise Invalid.at("body", "give either ids, or match_all with a filter")
    if body.ids is not None:
        if body.filter is not None or body.except_ids:
            raise Invalid.at("body", "filter and except_ids go with match_all")
        return Selection(ids=_run_ids(body.ids, "body.ids"))
    asked = filter_of(body.filter or wire.FilterBody(), "body.filter")
    return Selection(filter=asked, except_ids=_run_ids(body.except_ids, "body.except_ids"))


def line_of(ask: Ask) -> int:
    """Raises Invalid at `path.n`."""
    text = ask.path["n"]
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Invalid.at("path.n", "must be the number of a line", text[:100])
    return int(text)


def last_line_of(ask: Ask) -> int | None:
    """The number of the last line that a client has; a foreign id counts as none."""
    text = ask.header(b"last-event-id") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _run_ids(ids: list[str], at: str) -> tuple[str, ...]:
    return tuple(run_id_of(each, f"{at}.{number}") for number, each in enumerate(ids))


def run_id_of(text: str, at: str) -> str:
    try:
        return from_ulid(text)
    except Invalid:
        raise Invalid.at(at, "must be a ULID of 26 characters", text[:100]) from None


def _words(text: str | None, known: list[str], at: str) -> set[str]:
    given = {word.strip() for word in (text or "").split(",")} - {""}
    for word in sorted(given - set(known)):
        raise Invalid.at(at, f"{word[:100]!r} is none of its words; {reading.nearest(word, known)}", word[:100])
    return given


def _triggers(asked: wire.RunsQuery | wire.FilterBody, at: str) -> Any:
    if not asked.triggered_by:
        return None
    return words.triggers_of(_words(asked.triggered_by, list(words.TRIGGERS), f"{at}.triggered_by"))


def _moment(text: str | None, at: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else _refuse_moment(text, at)
    except (ValueError, OverflowError):
        return _refuse_moment(text, at)


def _refuse_moment(text: str, at: str) -> datetime:
    raise Invalid.at(at, "must be a moment such as 2027-03-14T09:00:00Z", text[:100])


def _code(text: str | int | None, at: str) -> int | None:
    if text is None or text == "":
        return None
    if not CODE.fullmatch(str(text)):
        raise Invalid.at(at, "must be a whole number", str(text)[:100])
    return int(text)


def _id_range(text: str) -> tuple[str, str] | None:
    """First and last id whose ULID begins with the text."""
    digits = [ALPHABET.find(character) for character in text.upper()]
    if not digits or len(digits) > LENGTH or -1 in digits or digits[0] > 7:
        return None
    return tuple(from_ulid(text.upper() + fill * (LENGTH - len(text))) for fill in ("0", "Z"))  # type: ignore[return-value]
