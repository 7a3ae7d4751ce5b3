"""What an asker may see. What one may not see does not exist for one."""

from bisect import bisect
from difflib import get_close_matches

from rota.core.actor import Actor
from rota.core.errors import NotFound
from rota.core.run import Run
from rota.core.task import Task
from rota.store import runs, tasks
from rota.store.database import Connection

# Names on either side of a wrong one, in order, that are compared with it. Comparing 20,000 takes half a second, in which
# nothing else is written.
COMPARED = 200


def get_task(c: Connection, actor: Actor, reference: str) -> Task:
    """By id or by name: of the actor's own tasks and, for root, the installation's and everyone's.

    Raises NotFound, with the nearest name as a hint.
    """
    return _seen(c, actor, reference, _find_task(c, actor, reference))


def _find_task(c: Connection, actor: Actor, reference: str) -> Task | None:
    return tasks.find_task(c, reference) or _find_by_name(c, actor, reference)


def _seen(c: Connection, actor: Actor, reference: str, task: Task | None) -> Task:
    if task is None or task.status == "removed" or not actor.may_see(task.owner_id):
        raise NotFound(f"there is no task {reference[:100]!r}", hint=_nearest_name(c, actor, reference))
    return task


def get_usable_task(c: Connection, actor: Actor, reference: str, found: Task | None = None) -> Task:
    """One that the actor may start: as get_task, and whatever is shared; `found` if it was looked up already. Raises NotFound."""
    own = found or _find_task(c, actor, reference)
    found = own or tasks.find_shared(c, reference)
    if found is not None and found.spec.shared and found.status != "removed":
        return found
    return _seen(c, actor, reference, own)


def get_run(c: Connection, actor: Actor, run_id: str) -> tuple[Run, Task]:
    """A run with its task. Raises NotFound."""
    run = runs.find_shown_run(c, run_id)
    task = tasks.find_task(c, run.task_id) if run else None
    if run is None or task is None or not actor.may_see(run.owner_id):
        raise NotFound(f"there is no run {run_id[:100]!r}")
    return run, task


def owner_of(actor: Actor) -> str | None:
    """Whom a task belongs to that this actor creates: what the operator makes is the installation's."""
    return None if actor.kind == "operator" else actor.id


def owner_of_run(actor: Actor, task: Task) -> str | None:
    """Whose a run is that this actor starts: its task's owner's, or of a shared task the actor's own."""
    return task.owner_id if not task.spec.shared else owner_of(actor) or task.owner_id


def _find_by_name(c: Connection, actor: Actor, name: str) -> Task | None:
    own = tasks.find_task_by_name(c, owner_of(actor), name)
    return tasks.find_task_by_name(c, None, name) if own is None and actor.is_root else own


def _nearest_name(c: Connection, actor: Actor, name: str) -> str | None:
    names = sorted(tasks.list_names(c, owner_of(actor), everyone=actor.is_root))
    place = bisect(names, name[:100])
    near = get_close_matches(name[:100], names[max(0, place - COMPARED) : place + COMPARED], n=1)
    return f"did you mean {near[0]}?" if near else None
