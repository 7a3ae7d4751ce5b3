"""Logs of pruned runs that lie on other nodes, until those have deleted them: they may be down, or not hear of it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from rota.store.connection import Connection
from rota.store.moments import from_us, to_us

INSERT = """
    INSERT INTO gone_logs (node, run_id, task_name, created_at, gone_at)
    SELECT runs.node, runs.id, tasks.name, runs.created_at, CAST(? AS BIGINT) FROM runs JOIN tasks ON tasks.id = runs.task_id
    WHERE runs.id IN ({values}) AND runs.node <> ? AND runs.ended_at IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING run_id"""
LIST = "SELECT run_id, task_name, created_at FROM gone_logs WHERE node = ? ORDER BY run_id LIMIT ?"
FORGET = "DELETE FROM gone_logs WHERE run_id IN ({values}) AND node = ? RETURNING run_id"
PRUNE = "DELETE FROM gone_logs WHERE gone_at < ?"


class GoneLog(Struct, frozen=True):
    run_id: str
    task_name: str
    created_at: datetime


def insert_gone(c: Connection, run_ids: Sequence[str], own: str, now: datetime) -> None:
    """Note the logs that other nodes than `own` have of these runs, which are deleted in this transaction."""
    c.batch(INSERT, "text", [(run_id,) for run_id in run_ids], (to_us(now), own))


def list_gone(c: Connection, node: str, limit: int) -> list[GoneLog]:
    return [GoneLog(run_id, task_name, from_us(at)) for run_id, task_name, at in c.rows(LIST, (node, limit))]


def forget_gone(c: Connection, node: str, run_ids: Sequence[str]) -> None:
    """It has deleted them."""
    c.batch(FORGET, "text", [(run_id,) for run_id in run_ids], (node,))


def prune_gone(c: Connection, before: datetime) -> int:
    """Forget what no node came for. Returns how many."""
    return c.run(PRUNE, (to_us(before),))
