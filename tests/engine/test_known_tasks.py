"""What the loops need not read again."""

import pytest
from tests.engine.world import World

from rota.core.task import Task
from rota.engine import known as module
from rota.engine.known import KnownTasks
from rota.store import tasks


def read(world: World, known: KnownTasks, *wanted: Task) -> list[Task]:
    return list(world.write(lambda c: known.get(c, [task.id for task in wanted])).values())


def test_a_task_is_read_again_only_when_it_has_changed(world: World) -> None:
    known, task = KnownTasks(), world.add()
    [first] = read(world, known, task)
    assert read(world, known, task)[0] is first
    world.write(lambda c: tasks.update_status(c, task.id, "paused", from_=["active"], now=world.clock.now()))
    assert read(world, known, task)[0].status == "paused"


def test_only_the_tasks_of_late_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 3)
    known, added = KnownTasks(), [world.add(f"task-{number}") for number in range(20)]
    for task in added:
        [found] = read(world, known, task)
        known.schedule(found)
        assert known.task(task.id) is found
    assert known.task(added[-2].id).name == "task-18"
    with pytest.raises(KeyError):
        known.task(added[0].id)
