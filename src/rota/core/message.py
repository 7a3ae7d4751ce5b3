"""A notification in words."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.errors import Invalid
from rota.core.notification import SEVERITIES, Kind, Note
from rota.core.run import Run, Trigger

TAIL_LINES = 3
TAIL_BYTES = 300
# What a process printed helps where it failed by itself.
WITH_TAIL: frozenset[Kind] = frozenset({"run.failed", "run.timeout"})
WHAT: dict[Kind, str] = {
    "run.started": "started",
    "run.succeeded": "succeeded",
    "run.failed": "failed",
    "run.timeout": "timed out",
    "run.stopped": "was stopped",
    "run.crashed": "crashed",
    "run.missed": "was missed",
    "service.fatal": "gave up",
    "notify.delivery_failed": "could not be told",
}
TRIGGERS: dict[Trigger, str] = {
    "schedule": "schedule",
    "catch_up": "catch-up of a missed slot",
    "startup": "start of the server",
    "event": "event",
    "api": "API",
    "cli": "command line",
    "task": "another task",
    "service": "supervisor",
}
FIELDS = (
    "headline",
    "message",
    "what",
    "kind",
    "severity",
    "task",
    "run_id",
    "state",
    "reason",
    "exit_code",
    "duration",
    "trigger",
    "time",
    "count",
    "log_tail",
    "url",
)
_FIELD = re.compile(r"\{\{\s*([A-Za-z_]*)\s*\}\}")


class Message(Struct, frozen=True, kw_only=True):
    """What a person reads. `text` begins behind the headline."""

    headline: str
    text: str


def headline(note: Note) -> str:
    what = f"{note.task} {WHAT[note.kind]}"
    if note.stage == "first":
        return what
    return f"{note.count} more times: {what}" if note.count > 1 else f"once more: {what}"


def compose(note: Note, tail: Sequence[str] = (), url: str | None = None) -> Message:
    """What happened, exit code and duration, trigger and time, the last lines of output, a link."""
    lines = [happening(note), *_grouped(note), _trigger(note.run)]
    if note.kind in WITH_TAIL and tail:
        lines += ["", *shorten(tail)]
    if url:
        lines += ["", url]
    return Message(headline=headline(note), text="\n".join(lines))


def happening(note: Note) -> str:
    """One line: what it came to and how long it took."""
    run = note.run
    parts = [run.error or run.reason or WHAT[note.kind]]
    if run.exit_code is not None and not (run.error or "").startswith("exit code"):
        parts.append(f"exit code {run.exit_code}")
    if run.started_at and run.ended_at:
        parts.append(f"after {in_words(run.ended_at - run.started_at)}")
    return ", ".join(parts)


def shorten(lines: Sequence[str]) -> list[str]:
    """The last three lines, together at most 300 bytes; the oldest of them are cut first."""
    kept: list[str] = []
    left = TAIL_BYTES
    for line in reversed(lines[-TAIL_LINES:]):
        cut = line.encode(errors="replace")[:left].decode(errors="ignore")
        left -= len(cut.encode()) + 1
        if left < 0 and not cut:
            break
        kept.append(cut)
    return kept[::-1]


def in_words(span: timedelta) -> str:
    """`450 ms`, `31 s`, `1 h 2 min`."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join([f"{number} {unit}" for number, unit in parts if number][:2])


def find_unknown_fields(template: str) -> list[str]:
    """Names in `{{ }}` that stand for nothing."""
    return [name for name in _FIELD.findall(template) if name not in FIELDS]


def fill(template: str, note: Note, tail: Sequence[str] = (), url: str | None = None) -> str:
    """A template with its fields replaced. Raises Invalid for a field there is not."""
    values = _fields(note, tail, url)

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise Invalid(f"a template has no field {match[1]}", hint=f"the fields are {', '.join(FIELDS)}")
        return values[match[1]]

    return _FIELD.sub(value, template)


def _fields(note: Note, tail: Sequence[str], url: str | None) -> Mapping[str, str]:
    run, message = note.run, compose(note, tail, url)
    took = run.ended_at - run.started_at if run.started_at and run.ended_at else None
    values = (
        message.headline,
        message.text,
        happening(note),
        note.kind,
        SEVERITIES[note.kind],
        note.task,
        run.id,
        run.state,
        run.reason or "",
        "" if run.exit_code is None else str(run.exit_code),
        in_words(took) if took is not None else "",
        TRIGGERS[run.trigger],
        moment(note.at),
        str(note.count),
        "\n".join(shorten(tail)),
        url or "",
    )
    return dict(zip(FIELDS, values, strict=True))


def _grouped(note: Note) -> list[str]:
    return [] if note.stage == "first" else [f"{note.count} since {moment(note.since)}"]


def _trigger(run: Run) -> str:
    at = run.nominal_at or run.created_at
    return f"Started by {TRIGGERS[run.trigger]}, {moment(at)}"


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
