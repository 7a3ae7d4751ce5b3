"""A claim as whoever carries it out needs it."""

from rota.core.retry import RECENT_ATTEMPTS
from rota.core.run import Run
from rota.core.task import Task
from rota.core.work import Agent, Project
from rota.runners.base import Claim
from rota.store import attempts, revisions, runs, runsecrets, tasks
from rota.store.database import Connection

# Whose runs may have been given secrets of their own.
WITH_SECRETS = (Agent, Project)


def make_claim(c: Connection, task: Task, run: Run, secrets: dict[str, str]) -> Claim:
    asks = task.spec.policy.restart is not None and run.attempt > 1
    return Claim(task, run, attempts.list_uptimes(c, run.id, RECENT_ATTEMPTS) if asks else [], secrets)


def read_claim(c: Connection, run_id: str) -> Claim:
    """Of a run that was claimed elsewhere. Raises NotFound."""
    run = runs.get_run(c, run_id)
    task = revisions.as_started(c, [(run, tasks.get_task(c, run.task_id))])[0]
    secrets = runsecrets.list_secrets(c, [run_id]) if isinstance(task.spec.executor, WITH_SECRETS) else {}
    return make_claim(c, task, run, secrets.get(run_id, {}))
