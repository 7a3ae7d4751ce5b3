"""The process that Apprise runs in: reads orders, a line of JSON each, and answers each with a line."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apprise
import requests

LOG = logging.getLogger("apprise")
KINDS = {"info": apprise.NotifyType.INFO, "warn": apprise.NotifyType.WARNING, "error": apprise.NotifyType.FAILURE}


class Words(logging.Handler):
    """What Apprise has to say about a failure; it answers only yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING or "xception" in record.msg:
            self.said.append(" ".join(record.getMessage().split()))


@contextmanager
def overheard(answers: list[requests.Response]) -> Iterator[None]:
    """Collects the answers that Apprise keeps to itself: whether and when to try again depends on them."""
    send = requests.Session.send

    def listening(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        options["timeout"] = (8.0, 15.0)
        answer = send(session, request, **options)
        answers.append(answer)
        return answer

    requests.Session.send = listening  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        requests.Session.send = send  # type: ignore[method-assign]


def carry_out(order: dict[str, Any]) -> dict[str, Any]:
    words, answers = Words(), list[requests.Response]()
    LOG.addHandler(words)
    try:
        with overheard(answers):
            service = apprise.Apprise.instantiate(order["url"], suppress_exceptions=True)
            if service is None:
                return {"ok": False, "final": True, "error": f"not a target: {_last(words)}"}
            for name, value in order["options"].get("attributes", {}).items():
                setattr(service, name, value)
            sent = service.notify(
                body=order["text"],
                title=order["title"],
                notify_type=KINDS[order["severity"]],
                body_format=order["options"].get("format"),
                attach=order["options"].get("attach"),
            )
    except Exception as error:  # the answer to an order is never an end of the process
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    finally:
        LOG.removeHandler(words)
    return {"ok": bool(sent), "error": None if sent else _last(words), **_answer(answers)}


def _answer(answers: list[requests.Response]) -> dict[str, Any]:
    if not answers:
        return {}
    after = answers[-1].headers.get("Retry-After", "")
    return {"code": answers[-1].status_code, "retry_after_s": float(after) if after.replace(".", "", 1).isdecimal() else None}


def _last(words: Words) -> str:
    return "; ".join(words.said[-2:]) or "refused"


def main() -> None:
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    out, sys.stdout = sys.stdout, sys.stderr  # nothing that a plugin prints may pass for an answer
    for line in sys.stdin:
        out.write(json.dumps(carry_out(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
