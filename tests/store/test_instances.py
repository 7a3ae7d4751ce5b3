from tests.factories import at
from tests.store.storing import add_task

from rota.core.service import Instance
from rota.store import instances
from rota.store.connection import Connection


def test_an_instance_comes_back_as_it_was_remembered(c: Connection) -> None:
    task = add_task(c)
    instance = Instance(task_id=task.id, number=1, restarts=2, fast_failures=3, start_at=at(4), fatal=True, done=True)
    instances.upsert_instances(c, [instance])
    assert instances.list_instances(c, task.id) == [instance]
    assert instances.find_instance(c, task.id, 1) == instance
    assert instances.find_instance(c, task.id, 0) is None


def test_what_is_new_takes_the_place_of_what_was_known(c: Connection) -> None:
    task = add_task(c)
    instances.upsert_instances(c, [Instance(task_id=task.id, number=0, restarts=5, start_at=at(1), fatal=True)])
    fresh = Instance(task_id=task.id, number=0)
    instances.upsert_instances(c, [fresh])
    assert instances.list_instances(c) == [fresh]


def test_a_service_that_shrinks_forgets_its_last_instances(c: Connection) -> None:
    task, other = add_task(c), add_task(c)
    instances.upsert_instances(c, [Instance(task_id=one.id, number=i) for one in (task, other) for i in range(3)])
    instances.delete_instances(c, task.id, 1)
    assert [(i.task_id, i.number) for i in instances.list_instances(c)] == [(task.id, 0), *((other.id, i) for i in range(3))]
    instances.delete_instances(c, other.id)
    assert instances.list_instances(c, other.id) == []
    instances.upsert_instances(c, [])
