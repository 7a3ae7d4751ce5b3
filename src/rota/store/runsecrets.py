"""Secret variables of one run, kept for as long as it lives."""

from collections.abc import Iterable, Mapping

from rota.store.connection import Connection

PUT = """
    INSERT INTO run_secrets (run_id, name, value) VALUES (?, ?, ?)
    ON CONFLICT (run_id, name) DO UPDATE SET value = excluded.value"""
LIST = "SELECT run_id, name, value FROM run_secrets WHERE run_id IN ({values})"
FORGET = """
    DELETE FROM run_secrets WHERE run_id IN (
        SELECT kept.run_id FROM run_secrets AS kept JOIN runs ON runs.id = kept.run_id WHERE runs.ended_at IS NOT NULL)"""


def put_secrets(c: Connection, run_id: str, secrets: Mapping[str, str]) -> None:
    """Keep some by name, and forget those of runs that have ended meanwhile."""
    if secrets:
        forget_ended(c)
        c.run_many(PUT, [(run_id, name, value) for name, value in secrets.items()])


def list_secrets(c: Connection, run_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """By run; one without any is left out."""
    found: dict[str, dict[str, str]] = {}
    for run_id, name, value in c.batch(LIST, "text", [(run_id,) for run_id in run_ids]):
        found.setdefault(run_id, {})[name] = value
    return found


def forget_ended(c: Connection) -> None:
    """Those of runs that have ended."""
    c.run(FORGET)
