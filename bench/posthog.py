"""Lists of a project's tasks with every filter: as many queries for 100,000 tasks as for 1,000, and how long they take."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bench.figure import Figure, figure, in_turns
from bench.scratch import new_data
from bench.stock import IDS, make_task, now, store_runs, store_tasks
from rota.core.projecttask import ProjectTask
from rota.core.states import State
from rota.core.task import Task
from rota.store import projectlist, projects, projecttasks, users
from rota.store.database import Connection, Database, open_sqlite
from rota.store.projectlist import Wanted
from rota.store.runs import NewRun

SHORT, LONG = 1000, 100_000
PAGE, PART = 50, 5000
STATES: tuple[State, ...] = ("succeeded", "succeeded", "failed", "canceled")
WORDS = ("login", "redirect", "button", "invoice", "export", "search", "upload", "theme", "cache", "webhook")
# One run of this many waits, or is on its way.
LIVE = 1000
# What is live is few, and found as fast among however many.
LIVE_FILTERS = [{"status": "in_progress"}, {"status": "queued"}]
FILTERS: dict[str, dict[str, Any]] = {
    "without filters": {},
    "archived ones too": {"archived": None},
    "of an organization": {"organization": "acme"},
    "of a repository": {"repository": "acme/web"},
    "of one name in any organization": {"repository": "web"},
    "of a creator": {"created_by": 1},
    "found by text": {"search": "invoice 777"},
    "found by number": {"search": "BEN-512"},
    "in progress": {"status": "in_progress"},
    "queued": {"status": "queued"},
    "completed": {"status": "completed"},
    "in a stage": {"stage": "build"},
    "everything at once": {"organization": "acme", "status": "completed", "stage": "build", "search": "login"},
}


def measure(quick: bool) -> list[Figure]:
    """Milliseconds for a page of 50 with its count, medians, in turns."""
    long = LONG // 10 if quick else LONG
    paths = {count: new_data() for count in (SHORT, long)}
    for count, path in paths.items():
        fill(path, count)
    with closing(open_sqlite(paths[SHORT] / "rota.db")) as small, closing(open_sqlite(paths[long] / "rota.db")) as big:
        return [compare(name, wanted, small, big, long) for name, wanted in FILTERS.items()]


def compare(name: str, filters: dict[str, Any], small: Database, big: Database, count: int) -> Figure:
    ours, reference = page(big, filters), page(small, filters)
    in_turns(2, ours, reference)
    long_ms, short_ms = in_turns(15, ours, reference)
    queries = statements(big, filters)
    return figure(
        f"{PAGE} of {count:,} tasks of a project, {name}", long_ms, "ms", reference=short_ms,
        reference_name=f"the same of {SHORT:,}", floor=50 if filters in LIVE_FILTERS else 500, less_is_better=True,
        note=f"{queries} queries, {statements(small, filters)} of {SHORT:,}; the count of all is told",
    )  # fmt: skip


def page(database: Database, filters: dict[str, Any]) -> Callable[[], float]:
    def one() -> float:
        begin = time.perf_counter()
        database.run(lambda c: read(c, filters), write=False)
        return (time.perf_counter() - begin) * 1000

    return one


def read(c: Connection, filters: dict[str, Any]) -> None:
    viewer_id = str(c.rows("SELECT id FROM users WHERE name = 'ann'")[0][0])
    projectlist.page_tasks(c, Wanted(project_id=1, viewer_id=viewer_id, **filters), PAGE, 0)


def statements(database: Database, filters: dict[str, Any]) -> int:
    def count(c: Any) -> int:
        said: list[str] = []
        c.raw.set_trace_callback(said.append)
        read(c, filters)
        c.raw.set_trace_callback(None)
        return len(said)

    return database.run(count, write=False)


def fill(data: Path, count: int) -> None:
    """Tasks of two users, most of them with two runs that have ended, some archived, some internal."""
    with closing(open_sqlite(data / "rota.db")) as database:
        owners = database.run(found)
        for start in range(0, count, PART):
            part = range(start, min(start + PART, count))
            made = [replace(make_task(f"posthog-1-{number}"), owner_id=owners[number % 10 == 0]) for number in part]
            store_tasks(database, made)
            database.run(lambda c, made=made, part=part: write(c, made, part))  # type: ignore[misc]
            both = [(task, number, turn) for task, number in zip(made, part, strict=True) if number % 5 for turn in (0, 1)]
            runs = [run_of(task, number, turn) for task, number, turn in both]
            store_runs(database, runs)
            database.run(lambda c, runs=runs: note_runs(c, runs))  # type: ignore[misc]


def found(c: Connection) -> list[str]:
    """The project, and its two members."""
    project = projects.insert_project(c, "Bench", now())
    members = [users.insert_user(c, id=IDS.new(), name=name, created_at=now()).id for name in ("ann", "bob")]
    for user_id in members:
        projects.insert_membership(c, project, user_id, now())
    return members


def write(c: Connection, made: list[Task], part: range) -> None:
    for task, number in zip(made, part, strict=True):
        word, other = WORDS[number % 10], WORDS[number // 10 % 10]
        projecttasks.insert_project_task(
            c,
            ProjectTask(
                id=task.id,
                project_id=1,
                number=number,
                created_by=task.owner_id,
                created_at=task.created_at,
                updated_at=task.created_at,
                title=f"Fix the {word} of {other} {number}",
                description=f"The {word} {number} does not do what the {other} says. " * 6,
                repository=f"{'acme' if number % 3 else 'other'}/{'web' if number % 2 else 'api'}",
                internal=number % 50 == 0,
                archived_at=now() if number % 4 == 0 else None,
            ),
        )


def run_of(task: Task, number: int, turn: int) -> NewRun:
    new, at = NewRun.of(task, IDS.new(), "api", now()), now()
    if number % LIVE == 1 and turn:
        return replace(new, run=replace(new.run, state="running", started_at=at, attempt=1))
    state = STATES[number % len(STATES)]
    return replace(new, run=replace(new.run, state=state, started_at=at, ended_at=at, attempt=1))


def note_runs(c: Connection, made: list[NewRun]) -> None:
    rows = [
        (new.run.id, new.run.task_id, "cloud", 0, "build" if place % 7 else "plan", "{}", 0) for place, new in enumerate(made)
    ]
    c.run_many(
        "INSERT INTO project_runs (run_id, task_id, environment, status_fence, stage, state, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
