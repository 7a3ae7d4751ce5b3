"""Finished steps of runs: what an attempt does not do again."""

from typing import Any

from rota.core.pipeline.account import Checkpoint
from rota.store.connection import Connection
from rota.store.documents import from_text, to_text
from rota.store.moments import from_us, to_us

# Only the holder writes. The same step twice, after an answer that got lost, is one.
INSERT = """
    INSERT INTO steps (run_id, position, name, outcome, ended_at)
    SELECT runs.id, CAST(? AS INTEGER), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT) FROM runs
    WHERE runs.id = ? AND runs.fence = ? AND COALESCE(runs.state, '') = 'running'
    ON CONFLICT (run_id, position) DO NOTHING RETURNING position"""
LIST = "SELECT position, name, outcome, ended_at FROM steps WHERE run_id = ? ORDER BY position"


def insert_step(c: Connection, run_id: str, fence: int, step: Checkpoint) -> bool:
    """Store a finished step. False if the run is not held with that fence any more, or has the step already."""
    outcome = {"status": step.status, "output": step.output, "usage": step.usage or None}
    text = to_text({name: value for name, value in outcome.items() if value is not None or name == "output"})
    return c.row(INSERT, (step.position, step.name, text, to_us(step.ended_at), run_id, fence)) is not None


def list_steps(c: Connection, run_id: str) -> list[Checkpoint]:
    """Of one run, in order."""
    return [_step(position, name, from_text(outcome), ended_at) for position, name, outcome, ended_at in c.rows(LIST, (run_id,))]


def _step(position: int, name: str, outcome: dict[str, Any], ended_at: int) -> Checkpoint:
    shown = {key: outcome[key] for key in ("status", "output", "usage") if key in outcome}
    return Checkpoint(position=position, name=name, ended_at=from_us(ended_at), **shown)
