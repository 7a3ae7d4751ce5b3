"""The log of a run on the terminal: what there is, and what comes."""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

from rota.cli.client import Client
from rota.cli.output import show_line
from rota.core.entry import plain
from rota.core.states import LIVE

PAGE_LINES = 1000
Line = dict[str, Any]


def show_text(line: Line) -> None:
    """What the work wrote, to the stream it wrote it to; entries go to stdout. Notes of the server itself go to stderr."""
    target = sys.stdout if line["stream"] in ("stdout", "entry") else sys.stderr
    print(plain(line["text"]) if line["stream"] == "entry" else line["text"], file=target, flush=True)


def printer(*, as_json: bool) -> Callable[[Line], None]:
    return show_line if as_json else show_text


def stored_lines(client: Client, run_id: str, start: int = 0) -> Iterator[Line]:
    """The lines written so far, page by page, from line `start` on; a negative one counts from the end."""
    while True:
        page = client.get(f"/v1/runs/{run_id}/log", **{"from": start, "limit": PAGE_LINES})
        yield from page["lines"]
        if len(page["lines"]) < PAGE_LINES:
            return
        start = page["lines"][-1]["n"] + 1


def live_lines(client: Client, run_id: str, start: int = 0, *, words: bool = False) -> Iterator[Line]:
    """Lines as they are written, until the log is complete; with `words` also `{"text"}` of a line that has not ended."""
    query: dict[str, object] = {"from": start, **({"words": "true"} if words else {})}
    for notice in client.stream(f"/v1/runs/{run_id}/log/stream", **query):
        if notice.kind in ("line", "words"):
            yield notice.data


def wait_for_end(client: Client, run_id: str) -> dict[str, Any]:
    """The run once it has ended, which is moments after its log is complete."""
    for pause_s in chain((0.01, 0.02, 0.05, 0.1, 0.2), repeat(0.5)):
        run = client.get(f"/v1/runs/{run_id}")
        if run["state"] not in LIVE:
            break
        time.sleep(pause_s)
    return run
