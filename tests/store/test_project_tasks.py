"""Tasks of projects, their lists, and who is told of their runs, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.factories import NOON, at, make_id, make_run
from tests.store.storing import add_run, add_task, add_user

from rota.core.notification import Rules
from rota.core.projectrun import ProjectRun
from rota.core.projecttask import ProjectTask
from rota.core.push import Happening, Kind, PushRules
from rota.core.run import Run
from rota.core.states import State
from rota.store import (
    outbox,
    presence,
    projectlist,
    projectruns,
    projects,
    projecttasks,
    pushing,
    pushtokens,
    telling,
    users,
)
from rota.store.connection import Connection
from rota.store.presence import Watching
from rota.store.projectlist import Wanted
from rota.store.pushtokens import PushToken
from rota.store.sqlite import SqliteConnection

HOOK = PushRules(way="device_hook")


class Numbers:
    def new(self) -> str:
        return make_id()


class Scene:
    """A project with a member."""

    def __init__(self, c: Connection) -> None:
        self.c = c
        self.ann = add_user(c, "ann")
        self.project = projects.insert_project(c, "Default Project", NOON)
        projects.insert_membership(c, self.project, self.ann, NOON)

    def add(self, **fields: Any) -> ProjectTask:
        number = projects.take_number(self.c, self.project)
        task = add_task(self.c, owner_id=fields.get("created_by", self.ann), name=f"posthog-{self.project}-{number}")
        usual: dict[str, Any] = {
            "id": task.id, "project_id": self.project, "number": number, "created_by": self.ann, "created_at": NOON,
            "updated_at": NOON,
        }  # fmt: skip
        made = ProjectTask(**{**usual, **fields})
        projecttasks.insert_project_task(self.c, made)
        return made

    def run(self, task: ProjectTask, state: State = "pending", **told: Any) -> Run:
        ended = None if state in ("pending", "running") else NOON
        run = add_run(self.c, task.id, state=state, ended_at=ended)
        projectruns.put_project_run(self.c, ProjectRun(run=run, environment="cloud", told_state={}, told_at=NOON, **told))
        return run

    def numbers(self, viewer_id: str | None = None, **wanted: Any) -> list[int]:
        asked = Wanted(project_id=self.project, viewer_id=viewer_id or self.ann, **wanted)
        page = projectlist.page_tasks(self.c, asked, 50, 0)
        assert page.total == len(page.items)
        return [shown.task.number for shown in page.items]

    def device(self, user_id: str, token: str, seen: float = 0) -> PushToken:
        new = PushToken(id=make_id(), user_id=user_id, token=token, platform="ios", created_at=NOON, last_seen_at=at(seen))
        return pushtokens.register_token(self.c, new)

    def tell(self, run: Run, kind: Kind = "completed", seconds: float = 0) -> int:
        return pushing.tell_devices(self.c, HOOK, [Happening(run.id, run.task_id, kind)], Numbers(), at(seconds))


@pytest.fixture
def scene(c: Connection) -> Scene:
    return Scene(c)


def test_what_was_written_is_read_again(scene: Scene) -> None:
    made = scene.add(
        title="Ünï", title_manually_set=True, description="d" * 10_000, repository="a/b", github_integration=2**40,
        github_user_integration=make_id(), signal_report=make_id(), json_schema={"type": "object"}, internal=True,
        archived_at=at(5), ci_prompt="mend", origin_product="slack",
    )  # fmt: skip
    assert projecttasks.find_project_task(scene.c, made.id) == made
    after = replace(made, title="x", json_schema=False, archived_at=None, internal=False, updated_at=at(9))
    projecttasks.update_project_task(scene.c, after)
    assert projecttasks.get_project_tasks(scene.c, [made.id, make_id()]) == {made.id: after}
    assert projecttasks.mark_deleted(scene.c, made.id, at(1))
    assert not projecttasks.mark_deleted(scene.c, made.id, at(2))
    assert projecttasks.find_project_task(scene.c, made.id) is None


def test_numbers_begin_at_zero_in_each_project(scene: Scene) -> None:
    other = projects.insert_project(scene.c, "Other", NOON)
    assert [projects.take_number(scene.c, number) for number in (scene.project, scene.project, other)] == [0, 1, 0]


def test_the_first_joined_project_is_the_current_one(scene: Scene) -> None:
    other = projects.insert_project(scene.c, "Other", NOON)
    projects.insert_membership(scene.c, other, scene.ann, at(-5))
    found = projects.find_current(scene.c, scene.ann)
    assert found is not None
    assert found.id == other
    assert projects.find_current(scene.c, add_user(scene.c, "bob")) is None


def test_filters_narrow_the_list(scene: Scene) -> None:
    bob = add_user(scene.c, "bob")
    scene.add(title="Straße", description="Über", repository="acme/web")
    scene.add(archived_at=NOON, repository="acme/api")
    scene.add(internal=True)
    scene.add(created_by=bob)
    scene.add(created_by=bob, origin_product="signal_report")
    scene.add(created_by=None, repository="other/web", title="a%b_c\\d")
    assert scene.numbers() == [5, 4, 0]
    assert scene.numbers(bob) == [5, 4, 3]
    assert scene.numbers(archived=True) == [1]
    assert scene.numbers(archived=None) == [5, 4, 1, 0]
    assert scene.numbers(internal=True) == [2]
    assert scene.numbers(organization="ACME", archived=None) == [1, 0]
    assert scene.numbers(repository="web") == [5, 0]
    assert scene.numbers(repository="Acme/Web") == [0]
    assert scene.numbers(origin_product="signal_report") == [4]
    assert scene.numbers(search="STRASSE") == [0]
    assert scene.numbers(search="über") == [0]
    assert scene.numbers(search="%B_C\\") == [5]
    assert scene.numbers(search="x-4") == [4]
    number = users.get_users(scene.c, [bob])[bob].number
    assert scene.numbers(created_by=number) == [4]
    assert projectlist.list_repositories(scene.c, scene.project, scene.ann) == ["acme/api", "acme/web", "other/web"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("pending", "queued"), ("running", "in_progress"), ("succeeded", "completed"), ("failed", "failed"),
        ("timed_out", "failed"), ("crashed", "failed"), ("canceled", "cancelled"), ("stopped", "cancelled"),
    ],
)  # fmt: skip
def test_the_status_is_that_of_the_latest_run(scene: Scene, state: State, status: str) -> None:
    first, _none = scene.add(), scene.add()
    scene.run(first, "failed" if status != "failed" else "succeeded", stage="plan")
    scene.run(first, state, stage="build")
    for word in ("not_started", "queued", "in_progress", "completed", "failed", "cancelled"):
        assert scene.numbers(status=word) == ([0] if word == status else [])
    assert (scene.numbers(stage="plan"), scene.numbers(stage="build"), scene.numbers(stage="x")) == ([0], [0], [])
    (shown,) = projectlist.show_tasks(scene.c, [first.id])
    assert shown.latest is not None
    assert (shown.latest.status, shown.creator and shown.creator.name) == (status, "ann")


def test_a_token_is_one_devices_and_twenty_are_kept(scene: Scene) -> None:
    bob = add_user(scene.c, "bob")
    first = scene.device(scene.ann, "t")
    assert scene.device(scene.ann, "t", 5).id == first.id
    moved = scene.device(bob, "t", 6)
    assert (moved.user_id, moved.id != first.id) == (bob, True)
    assert pushtokens.list_tokens(scene.c, scene.ann) == []
    made = [scene.device(scene.ann, f"t{number}", number).token for number in range(25)]
    assert [token.token for token in pushtokens.list_tokens(scene.c, scene.ann)] == made[5:]


def test_a_live_presence_silences_and_an_ended_one_does_not(scene: Scene) -> None:
    task, other = scene.add(), scene.add()
    token = scene.device(scene.ann, "t")
    scene.device(scene.ann, "u")
    watching = Watching(
        task_id=task.id, push_token_id=token.id, user_id=scene.ann, project_id=scene.project, last_seen_at=NOON, expires_at=at(60)
    )
    presence.put_watching(scene.c, watching)
    assert scene.tell(scene.run(task), seconds=59.999) == 0
    assert scene.tell(scene.run(task), seconds=60) == 2
    assert scene.tell(scene.run(other)) == 2
    presence.put_watching(scene.c, replace(watching, expires_at=at(120)))
    assert presence.is_watched(scene.c, task.id, scene.ann, at(119))
    assert not presence.is_watched(scene.c, task.id, add_user(scene.c, "bob"), at(119))
    pushtokens.delete_token(scene.c, token.id)
    assert not presence.is_watched(scene.c, task.id, scene.ann, at(119))


@pytest.mark.parametrize(
    ("kind", "wait_s"), [("completed", 600), ("failed", 600), ("awaiting_input", 30), ("turn_completed", 30)]
)
def test_the_like_of_a_run_is_told_once_in_a_while(scene: Scene, kind: Kind, wait_s: float) -> None:
    task = scene.add()
    scene.device(scene.ann, "t")
    run = scene.run(task)
    assert [scene.tell(run, kind, seconds) for seconds in (0, wait_s - 0.001, wait_s, wait_s + 1)] == [1, 0, 1, 0]
    assert scene.tell(run, "cancelled", 1) == 1
    assert scene.tell(scene.run(task), kind) == 1


def test_the_cooldown_is_taken_by_whoever_watches(scene: Scene) -> None:
    task = scene.add()
    token, run = scene.device(scene.ann, "t"), scene.run(task)
    watching = Watching(
        task_id=task.id, push_token_id=token.id, user_id=scene.ann, project_id=scene.project, last_seen_at=NOON, expires_at=at(1)
    )
    presence.put_watching(scene.c, watching)
    assert (scene.tell(run, "failed"), scene.tell(run, "failed", 300)) == (0, 0)
    assert scene.tell(run, "failed", 600) == 1


def test_the_end_of_a_run_writes_notices_whose_body_is_written_when_they_are_sent(scene: Scene) -> None:
    task = scene.add(title=" ")
    scene.device(scene.ann, "secret")
    run = make_run(task.id, id=scene.run(task).id, state="succeeded", ended_at=NOON)
    engine_task = add_task(scene.c)
    told = telling.tell_all(scene.c, Rules(push=HOOK), [(run, engine_task)], Numbers(), NOON)
    assert told == 1
    (delivery,) = outbox.list_deliveries(scene.c, limit=9)
    assert "secret" not in str(delivery)
    assert (delivery.give_up_at, delivery.owner_id) == (NOON + timedelta(minutes=5), scene.ann)
    body = pushing.write_notice(scene.c, delivery)
    assert body is not None
    assert b'"token":"secret"' in body
    assert b'\\"Untitled task\\" finished' in body
    pushtokens.delete_text(scene.c, scene.ann, "secret")
    assert pushing.write_notice(scene.c, delivery) is None


def test_nothing_is_told_without_a_way_or_a_project(scene: Scene) -> None:
    task = scene.add()
    scene.device(scene.ann, "t")
    run = scene.run(task)
    happened = [Happening(run.id, run.task_id, "failed")]
    assert pushing.tell_devices(scene.c, None, happened, Numbers(), NOON) == 0
    plain = add_task(scene.c)
    other = add_run(scene.c, plain)
    assert pushing.tell_devices(scene.c, HOOK, [Happening(other.id, plain.id, "failed")], Numbers(), NOON) == 0
    assert pushing.tell_devices(scene.c, PushRules(web="webpush"), happened, Numbers(), NOON) == 0


@pytest.mark.parametrize(
    "filters",
    [{}, {"archived": True}, {"organization": "acme"}, {"repository": "web"}, {"created_by": 1}, {"origin_product": "slack"}],
    ids=str,
)
def test_a_list_is_read_from_its_index_alone(sqlite_connection: SqliteConnection, filters: dict[str, Any]) -> None:
    for plan in plans(sqlite_connection, Wanted(project_id=1, viewer_id=make_id(), **filters)):
        assert plan[0].startswith("SEARCH t USING COVERING INDEX project_tasks_listed"), plan
        assert not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize("status", ["not_started", "queued", "in_progress"])
def test_a_live_status_looks_at_the_tasks_with_live_runs_alone(sqlite_connection: SqliteConnection, status: str) -> None:
    wanted = Wanted(project_id=1, viewer_id=make_id(), status=status)  # type: ignore[arg-type]
    for plan in plans(sqlite_connection, wanted):
        assert plan[0].startswith("SEARCH t USING COVERING INDEX project_tasks_listed"), plan
        assert plan[0].endswith("AND task_id=?)"), plan
        assert [step for step in plan if step.startswith("SCAN")] == [
            "SCAN runs USING COVERING INDEX runs_running",
            "SCAN runs USING INDEX runs_pending",
        ]
        assert not any("TEMP B-TREE" in step for step in plan), plan


def test_what_was_told_of_a_live_run_is_what_it_is_listed_by(scene: Scene) -> None:
    waits, works, over = scene.add(), scene.add(), scene.add()
    scene.run(waits, told_status="in_progress")
    scene.run(works, "running", told_status="not_started")
    scene.run(over, "running")
    scene.run(over, "failed", told_status="queued")
    assert scene.numbers(status="in_progress") == [waits.number]
    assert scene.numbers(status="not_started") == [works.number]
    assert scene.numbers(status="queued") == []
    assert scene.numbers(status="failed") == [over.number]


@pytest.mark.parametrize("c", ["sqlite"], indirect=True)
def test_of_tasks_that_are_asked_for_only_those_of_the_page_are_read(c: SqliteConnection) -> None:
    scene, said = Scene(c), list[str]()
    ids = [scene.add(description="long").id for _ in range(3)]
    hidden = scene.add(created_by=add_user(c, "bob")).id
    c.raw.set_trace_callback(said.append)
    page = projectlist.page_given(c, scene.project, scene.ann, [*ids, hidden, make_id()], 1, 1)
    c.raw.set_trace_callback(None)
    assert ([shown.task.id for shown in page.items], page.total) == ([sorted(ids)[1]], 3)
    (read,) = [statement for statement in said if "t.description" in statement]
    assert [each for each in ids if each in read] == [sorted(ids)[1]]


def plans(c: SqliteConnection, wanted: Wanted) -> list[list[str]]:
    """How the count and the page of a list are read."""
    said: list[str] = []
    c.raw.set_trace_callback(said.append)
    projectlist.page_tasks(c, wanted, 50, 0)
    c.raw.set_trace_callback(None)
    return [[str(row[3]) for row in c.rows(f"EXPLAIN QUERY PLAN {statement}")] for statement in said[:2]]
