"""The native API as the commands use it, whoever answers: the server, or with it down the same app in this process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rota.cli.errors import Failure, unreachable
from rota.cli.place import Place
from rota.core.errors import Problem

if TYPE_CHECKING:
    import httpx

BASE_URL = "http://rota"
REPLY_S = 30.0
PAGE = 200


class Notice(NamedTuple):
    """One server-sent event. `data` is its decoded JSON."""

    id: str | None
    kind: str
    data: Any


class Client:
    """Speaks `/v1` as the operator.

    Every method raises Failure: with the code and the problems of the reply, or `unreachable` when the server went away.
    """

    def __init__(self, http: "httpx.Client", *, online: bool, where: Path) -> None:
        self._http = http
        self.online = online
        self.where = where

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._ask("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: dict[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        return self._ask("POST", path, json=body or {}, params=query)

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, fetched page by page as they are read."""
        cursor = None
        while True:
            page = self.get(path, **{"limit": PAGE, **query}, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def stream(self, path: str, **query: Any) -> Iterator[Notice]:
        """Server-sent events until the server ends the stream."""
        import httpx

        with self._reaching(), self._http.stream("GET", path, params=query, timeout=httpx.Timeout(REPLY_S, read=None)) as reply:
            if reply.is_error:
                reply.read()
                raise failure_of(reply)
            yield from notices(reply.iter_lines())

    def _ask(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        with self._reaching():
            reply = self._http.request(method, path, **rest)
        if reply.is_error:
            raise failure_of(reply)
        answer: dict[str, Any] = reply.json() if reply.content else {}
        return answer

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.TransportError as error:
            message = f"the server at {self.where} went away: {error or type(error).__name__}"
            raise Failure(message, code="unreachable") from error


@contextmanager
def open_client(
    place: Place, *, for_server: str | None = None, key: str | None = None, reply_s: float = REPLY_S
) -> Iterator[Client]:
    """A client to the running server, else to the same apps on the stored data.

    for_server  what is to be done, if only a server can do it
    key         in whose name MCP tools are called; the operator's without one
    reply_s     how long a reply may take

    Raises Failure (exit 3) when there is nothing in the data directory, or no server where one is needed.
    """
    import httpx

    from rota.cli import offline, online

    path, headers = place.socket, {"Authorization": f"Bearer {key}"} if key else {}
    if online.answers(path):
        with httpx.Client(transport=online.transport(path), base_url=BASE_URL, timeout=reply_s, headers=headers) as http:
            yield Client(http, online=True, where=path)
        return
    if for_server:
        raise unreachable(for_server, path)
    with (
        offline.open_transport(place) as transport,
        httpx.Client(transport=transport, base_url=BASE_URL, headers=headers) as http,
    ):
        yield Client(http, online=False, where=path)


def failure_of(reply: "httpx.Response") -> Failure:
    """The failure that a problem+json reply (RFC 9457) tells of."""
    try:
        told = reply.json()
    except json.JSONDecodeError:
        told = {}
    problems = [Problem(item["location"], item["message"]) for item in told.get("errors", ())]
    message = told.get("detail") or told.get("title") or f"the server answered {reply.status_code}"
    return Failure(message, code=told.get("code", "error"), hint=told.get("hint"), problems=problems)


def notices(lines: Iterator[str]) -> Iterator[Notice]:
    """Server-sent events out of their lines (HTML standard, section 9.2). Comments are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield Notice(fields.get("id"), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        fields[name] = f"{fields[name]}\n{value}" if name == "data" and "data" in fields else value
