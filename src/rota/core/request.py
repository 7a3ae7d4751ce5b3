"""The one call of an http task: made from templates, and its answer judged."""

import msgspec
from msgspec import Struct

from rota.core.errors import Problem
from rota.core.pipeline.template import BadTemplate, Context, find_templates, parse_template, render, to_text
from rota.core.work import Http


class Request(Struct, frozen=True, kw_only=True):
    """As it goes out. Header names are in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def check_http(work: Http) -> list[Problem]:
    """What is wrong with it whatever it is given, at `url`, `headers.<name>`, `body.<path>`."""
    found = []
    for place, value in (("url", work.url), ("headers", work.headers), ("body", work.body)):
        for where, text in find_templates(value, place):
            try:
                parse_template(text)
            except BadTemplate as error:
                found.append(Problem(where, str(error)))
    if not work.url.lower().startswith(("http://", "https://", "${")):
        found.append(Problem("url", "only http and https can be called", work.url[:200]))
    return found


def request_of(work: Http, context: Context, key: str) -> Request:
    """The call, its templates filled in. `key` tells repetitions of it, unless it has such a header. Raises BadTemplate."""
    headers = {name.lower(): _one_line(to_text(value)) for name, value in render(work.headers, context).items()}
    headers.setdefault("idempotency-key", key)
    body = render(work.body, context)
    if body is not None and not isinstance(body, str):
        headers.setdefault("content-type", "application/json")
    sent = b"" if body is None else body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    return Request(method=work.method, url=to_text(render(work.url, context)), headers=headers, body=sent)


def is_expected(work: Http, status: int) -> bool:
    match work.expect_status:
        case None:
            return 200 <= status < 300
        case int():
            return status == work.expect_status
        case _:
            return status in work.expect_status


def _one_line(text: str) -> str:
    if any(character in text for character in "\r\n\x00"):
        raise BadTemplate("a header holds no line break")
    return text
