import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.factories import NOON, at, make_id, make_new_run
from tests.store.storing import add_ended, add_run, add_task

from rota.core.artifact import Artifact, MissingArtifacts
from rota.store import artifacts, retention, runs
from rota.store.connection import Connection
from rota.store.database import Database

DAY_S = 86_400.0
TWO_HOURS = timedelta(hours=2)


def an_artifact(number: int = 1, **fields: object) -> Artifact:
    defaults = {"name": "a.txt", "type": "output", "size": 3, "key": f"k/{number:032x}/a.txt", "uploaded_at": NOON}
    return Artifact(**{**defaults, "id": f"{number:032x}", **fields})  # type: ignore[arg-type]


def staged(c: Connection, task_id: str, *numbers: int) -> list[str]:
    made = [an_artifact(number) for number in numbers]
    artifacts.insert_prepared(c, made, task_id, None, NOON)
    assert all(artifacts.stage(c, task_id, each) for each in made)
    return [each.id for each in made]


def attached(c: Connection, task_id: str, run_id: str, *numbers: int, keep_days: int | None = 30) -> None:
    for number in numbers:
        artifacts.insert_prepared(c, [an_artifact(number)], task_id, run_id, NOON)
        assert artifacts.attach(c, run_id, an_artifact(number), keep_days=keep_days)


def names_of(found: Sequence[Artifact]) -> list[str]:
    return [each.id.lstrip("0") for each in found]


def test_a_run_gets_what_was_staged_for_its_task_in_order_and_each_once(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task)
    one, two, three = staged(c, task.id, 1, 2, 3)
    claimed = artifacts.claim_staged(c, task.id, [three, one, three, two, one], run.id, NOON)
    assert names_of(claimed) == ["3", "1", "2"]
    assert artifacts.list_artifacts(c, run.id) == claimed


def test_nothing_is_claimed_twice(c: Connection) -> None:
    task = add_task(c)
    ids = staged(c, task.id, 1)
    artifacts.claim_staged(c, task.id, ids, add_run(c, task).id, NOON)
    with pytest.raises(MissingArtifacts) as refused:
        artifacts.claim_staged(c, task.id, ids, add_run(c, task).id, NOON)
    assert refused.value.missing_artifact_ids == ids


def test_unknown_expired_foreign_and_unfinished_ones_are_missing(c: Connection) -> None:
    task, other = add_task(c), add_task(c)
    run = add_run(c, task)
    good, foreign = *staged(c, task.id, 1), *staged(c, other.id, 2)
    artifacts.insert_prepared(c, [an_artifact(3)], task.id, None, NOON)
    with pytest.raises(MissingArtifacts) as refused:
        artifacts.claim_staged(c, task.id, [good, foreign, an_artifact(3).id, "nonsense"], run.id, NOON)
    assert refused.value.missing_artifact_ids == [foreign, an_artifact(3).id, "nonsense"]
    with pytest.raises(MissingArtifacts):
        artifacts.claim_staged(c, task.id, staged(c, task.id, 4), run.id, at(DAY_S))


def test_no_artifacts_are_no_trouble(c: Connection) -> None:
    task = add_task(c)
    assert artifacts.claim_staged(c, task.id, [], add_run(c, task).id, NOON) == []


def test_of_two_runs_that_want_the_same_artifact_one_is_made(database: Database) -> None:
    task = database.run(add_task)
    ids = database.run(lambda c: staged(c, task.id, 1))

    def start(c: Connection) -> str:
        new = make_new_run(task)
        runs.insert_runs(c, [new])
        artifacts.claim_staged(c, task.id, ids, new.run.id, NOON)
        return new.run.id

    async def both() -> list[str | BaseException]:
        return list(await asyncio.gather(database.write(start), database.write(start), return_exceptions=True))

    came_to = asyncio.run(both())
    made = [each for each in came_to if isinstance(each, str)]
    assert len(made) == 1
    assert [type(each) for each in came_to if not isinstance(each, str)] == [MissingArtifacts]
    stored = database.run(lambda c: runs.list_runs(c, task_id=task.id, limit=10), write=False)
    assert [run.id for run in stored] == made


def test_finalizing_again_keeps_place_and_starts_the_day_anew(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task)
    (one,) = staged(c, task.id, 1)
    assert artifacts.stage(c, task.id, an_artifact(1, uploaded_at=at(DAY_S - 1), size=9))
    assert [each.size for each in artifacts.claim_staged(c, task.id, [one], run.id, at(DAY_S))] == [9]
    attached(c, task.id, run.id, 2, 3)
    assert artifacts.attach(c, run.id, an_artifact(2, name="b.txt"))
    assert [each.name for each in artifacts.list_artifacts(c, run.id)] == ["a.txt", "b.txt", "a.txt"]


def test_only_what_was_prepared_there_is_staged_or_attached(c: Connection) -> None:
    task, other = add_task(c), add_task(c)
    run = add_run(c, task)
    artifacts.insert_prepared(c, [an_artifact(1)], task.id, None, NOON)
    artifacts.insert_prepared(c, [an_artifact(2)], task.id, run.id, NOON)
    assert not artifacts.stage(c, other.id, an_artifact(1))
    assert not artifacts.stage(c, task.id, an_artifact(1, key="elsewhere"))
    assert not artifacts.stage(c, task.id, an_artifact(2))
    assert not artifacts.attach(c, run.id, an_artifact(1))
    assert not artifacts.attach(c, add_run(c, task).id, an_artifact(2))
    stored = artifacts.find_stored(c, task.id, [an_artifact(1).id, an_artifact(2).id, "x"])
    assert {each.state for each in stored.values()} == {"prepared"}
    assert len(stored) == 2


def test_manifests_of_several_runs_are_read_at_once(c: Connection) -> None:
    task = add_task(c)
    first, second, empty = (add_run(c, task) for _ in range(3))
    attached(c, task.id, first.id, 1, 2)
    attached(c, task.id, second.id, 3)
    found = artifacts.list_manifests(c, [first.id, second.id, empty.id])
    assert {run_id: names_of(each) for run_id, each in found.items()} == {first.id: ["1", "2"], second.id: ["3"], empty.id: []}
    assert artifacts.find_artifact(c, first.id, an_artifact(2).key) == an_artifact(2)
    assert artifacts.find_artifact(c, second.id, an_artifact(2).key) is None
    assert artifacts.find_artifact_by_id(c, second.id, an_artifact(3).id) == an_artifact(3)


def test_what_expired_is_told_until_it_is_deleted(c: Connection) -> None:
    task = add_task(c)
    run = add_run(c, task)
    staged(c, task.id, 1)
    artifacts.insert_prepared(c, [an_artifact(2)], task.id, None, NOON)
    attached(c, task.id, run.id, 3)
    attached(c, task.id, run.id, 4, keep_days=None)
    assert artifacts.doom_artifacts(c, NOON, 10) == []
    assert [key for _, key in artifacts.doom_artifacts(c, NOON + TWO_HOURS, 10)] == [an_artifact(2).key]
    due = artifacts.doom_artifacts(c, at(DAY_S), 10)
    assert {key for _, key in due} == {an_artifact(1).key, an_artifact(2).key}
    assert not artifacts.stage(c, task.id, an_artifact(1))
    artifacts.delete_doomed(c, [each for each, _ in due])
    assert artifacts.doom_artifacts(c, at(DAY_S), 10) == []
    assert len(artifacts.doom_artifacts(c, at(30 * DAY_S), 10)) == 1
    assert names_of(artifacts.list_artifacts(c, run.id)) == ["4"]


def test_artifacts_go_after_their_run_and_not_before_an_upload_can_still_come(c: Connection) -> None:
    task = add_task(c)
    run = add_ended(c, task)
    attached(c, task.id, run.id, 1, keep_days=None)
    assert retention.delete_runs(c, [run.id]) == [run.id]
    assert artifacts.doom_artifacts(c, NOON, 10) == []
    assert [key for _, key in artifacts.doom_artifacts(c, NOON + TWO_HOURS, 10)] == [an_artifact(1).key]


def test_rows_of_one_batch_are_no_more_than_asked_for(c: Connection) -> None:
    task = add_task(c)
    staged(c, task.id, *range(1, 6))
    assert len(artifacts.doom_artifacts(c, at(DAY_S), 3)) == 3
    assert artifacts.find_artifact_by_id(c, make_id(), "x") is None
