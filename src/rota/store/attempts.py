"""The attempts of a run that ended while the run went on. The latest attempt is the run itself."""

from collections.abc import Iterable

from rota.core.run import Attempt
from rota.store.connection import Connection, Row
from rota.store.documents import from_text
from rota.store.moments import from_us

COLUMNS = "run_id, number, id, state, reason, created_at, started_at, ended_at, exit_code, error, first_line, output"
OF_RUN = f"SELECT {COLUMNS} FROM attempts WHERE run_id = ? ORDER BY number"
UPTIMES = "SELECT ended_at - started_at FROM attempts WHERE run_id = ? ORDER BY number DESC LIMIT ?"
OF_RUNS = f"SELECT {COLUMNS} FROM attempts WHERE run_id IN ({{values}})"


def list_attempts(c: Connection, run_id: str) -> list[Attempt]:
    """Of one run, in order."""
    return [from_row(row) for row in c.rows(OF_RUN, (run_id,))]


def list_by_run(c: Connection, run_ids: Iterable[str]) -> dict[str, list[Attempt]]:
    """Of several runs, in order; every run that was asked for has an answer."""
    found: dict[str, list[Attempt]] = {run_id: [] for run_id in run_ids}
    for row in sorted(c.batch(OF_RUNS, "text", [(run_id,) for run_id in found]), key=lambda row: (row[0], row[1])):
        found[row[0]].append(from_row(row))
    return found


def list_uptimes(c: Connection, run_id: str, limit: int) -> list[float]:
    """Seconds that the newest `limit` of them took, oldest first."""
    return [row[0] / 1e6 for row in c.rows(UPTIMES, (run_id, limit))][::-1]


def from_row(row: Row) -> Attempt:
    """The attempt of a row that was read as COLUMNS."""
    run_id, number, attempt_id, state, reason, created_at, started_at, ended_at, exit_code, error, first_line, output = row
    return Attempt(
        id=attempt_id,
        run_id=run_id,
        number=number,
        state=state,
        reason=reason,
        created_at=from_us(created_at),
        started_at=from_us(started_at),
        ended_at=from_us(ended_at),
        exit_code=exit_code,
        error=error,
        first_line=first_line,
        output=from_text(output),
    )
