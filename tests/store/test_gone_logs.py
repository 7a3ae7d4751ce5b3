from datetime import timedelta

from tests.factories import NOON
from tests.store.storing import add_run, add_task

from rota.store import admission, gonelogs, retention, settlement
from rota.store.connection import Connection
from rota.store.settlement import Settlement


def add_ended(c: Connection, node: str | None) -> str:
    run = add_run(c, add_task(c, name=f"on {node}"))
    [claimed] = admission.claim_direct(c, [run.id], "holder", NOON, node=node)
    settlement.settle(c, [Settlement(run_id=run.id, fence=claimed.fence, state="succeeded", ended_at=NOON)])
    return run.id


def test_each_node_finds_the_logs_that_were_pruned_while_it_was_away(c: Connection) -> None:
    here, there, nowhere = add_ended(c, "a"), add_ended(c, "b"), add_ended(c, None)
    gonelogs.insert_gone(c, [here, there, nowhere], "a", NOON)
    assert sorted(retention.delete_runs(c, [here, there, nowhere])) == sorted([here, there, nowhere])
    assert gonelogs.list_gone(c, "a", 10) == []
    [gone] = gonelogs.list_gone(c, "b", 10)
    assert (gone.run_id, gone.task_name) == (there, "on b")
    gonelogs.forget_gone(c, "b", [there])
    assert gonelogs.list_gone(c, "b", 10) == []


def test_logs_that_nobody_comes_for_are_forgotten(c: Connection) -> None:
    run_id = add_ended(c, "b")
    gonelogs.insert_gone(c, [run_id], "a", NOON)
    assert gonelogs.prune_gone(c, NOON) == 0
    assert gonelogs.prune_gone(c, NOON + timedelta(seconds=1)) == 1
