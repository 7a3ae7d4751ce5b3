"""How far logs were told, by whom, and where they lie."""

from msgspec import structs
from tests.factories import NOON
from tests.store.storing import add_running, add_task

from rota.core.run import Run
from rota.store import logchunks, retention, settlement, sharedlogs
from rota.store.connection import Connection
from rota.store.logchunks import Chunk
from rota.store.settlement import Settlement
from rota.store.sharedlogs import Told


def told(
    run_id: str, seq: int, *, base: int = 0, is_whole: bool = False, drawn: str | None = None, is_anew: bool = False
) -> Told:
    """With one chunk, which has that number."""
    chunk = Chunk(seq, 1, "data", 0, b"x")
    return Told(
        run_id=run_id,
        base=base,
        after_seq=seq - 1,
        seq=seq,
        mark="[1]",
        is_whole=is_whole,
        drawn=drawn,
        chunks=[chunk],
        is_anew=is_anew,
    )


def count(c: Connection, run_id: str) -> int:
    return len(logchunks.list_chunks(c, run_id, 0, 100))


def end(c: Connection, run: Run) -> None:
    settlement.settle(c, [Settlement(run_id=run.id, fence=run.fence, state="succeeded", ended_at=NOON)])


def test_what_one_writer_tells_is_taken_and_what_another_tells_is_not(c: Connection) -> None:
    first, second = add_running(c, add_task(c)), add_running(c, add_task(c, name="other"))
    assert sharedlogs.tell(c, "a", [told(first.id, 1, drawn="bar"), told(second.id, 1)]) == {first.id, second.id}
    assert sharedlogs.tell(c, "b", [told(first.id, 2)]) == set()
    found = sharedlogs.find_shared_logs(c, [first.id, "none"])
    assert {run_id: (each.writer, each.seq, each.drawn) for run_id, each in found.items()} == {first.id: ("a", 1, "bar")}
    assert (count(c, first.id), count(c, second.id)) == (1, 1)


def test_what_was_told_is_taken_once_and_nothing_that_does_not_go_on_from_there(c: Connection) -> None:
    run = add_running(c, add_task(c))
    first = told(run.id, 1)
    assert sharedlogs.tell(c, "a", [first]) == sharedlogs.tell(c, "a", [first]) == {run.id}
    assert sharedlogs.tell(c, "a", [told(run.id, 3)]) == set()
    assert sharedlogs.tell(c, "a", [structs.replace(first, mark="[2]")]) == set()
    assert sharedlogs.find_shared_logs(c, [run.id])[run.id].kept_seq == 0


def test_a_log_that_no_process_writes_is_taken_as_it_is_known(c: Connection) -> None:
    run = add_running(c, add_task(c))
    sharedlogs.tell(c, "a", [told(run.id, 1, is_whole=True)])
    known = sharedlogs.find_shared_logs(c, [run.id])[run.id]
    assert sharedlogs.take(c, known, "b") == structs.replace(known, writer="b")
    assert sharedlogs.take(c, known, "c") is None


def test_nothing_is_written_of_a_run_that_is_gone(c: Connection) -> None:
    assert sharedlogs.tell(c, "a", [told("0190", 1)]) == set()


def test_only_who_holds_the_run_takes_its_log_over_and_whoever_had_it_tells_nothing_more(c: Connection) -> None:
    run = add_running(c, add_task(c))
    sharedlogs.tell(c, "a", [told(run.id, 1, is_whole=True, drawn="bar")])
    assert sharedlogs.take_over(c, run.id, "b", run.fence + 1) is None
    taken = sharedlogs.take_over(c, run.id, "b", run.fence)
    assert taken is not None
    assert (taken.writer, taken.seq, taken.is_whole, taken.drawn) == ("b", 1, False, None)
    assert sharedlogs.tell(c, "a", [told(run.id, 2)]) == set()
    assert sharedlogs.tell(c, "b", [told(run.id, 2)]) == {run.id}


def test_a_log_that_is_told_anew_has_no_chunks_from_before(c: Connection) -> None:
    run = add_running(c, add_task(c))
    sharedlogs.tell(c, "a", [told(run.id, 1)])
    sharedlogs.tell(c, "a", [told(run.id, 2, base=1, is_anew=True)])
    assert [chunk.seq for chunk in logchunks.list_chunks(c, run.id, 0, 10)] == [2]


def test_a_whole_log_of_an_ended_run_goes_into_objects_once(c: Connection) -> None:
    task = add_task(c)
    run, silent, going = add_running(c, task), add_running(c, add_task(c, name="b")), add_running(c, add_task(c, name="c"))
    sharedlogs.tell(c, "a", [told(run.id, 1, is_whole=True), told(going.id, 1, is_whole=True)])
    nothing = Told(run_id=silent.id, base=0, after_seq=0, seq=0, mark="[]", is_whole=True, drawn=None, chunks=[])
    assert sharedlogs.tell(c, "a", [nothing]) == {silent.id}
    for each in (run, silent):
        end(c, each)
    assert sharedlogs.list_unkept(c, "", 10) == [(run.id, 1)]
    sharedlogs.note_objects(c, run.id, [("logs/1", 1)])
    sharedlogs.note_objects(c, run.id, [("logs/1", 1)])
    assert not sharedlogs.keep(c, run.id, 2, ["logs/1"])
    assert (count(c, run.id), sharedlogs.list_objects(c, run.id)) == (1, [])
    assert sharedlogs.keep(c, run.id, 1, ["logs/1"])
    assert (count(c, run.id), sharedlogs.list_objects(c, run.id)) == (0, ["logs/1"])
    assert sharedlogs.list_unkept(c, "", 10) == []
    assert not sharedlogs.keep(c, run.id, 1, ["logs/1"])


def test_objects_are_told_of_until_they_are_deleted_when_their_run_is_gone(c: Connection) -> None:
    run = add_running(c, add_task(c))
    sharedlogs.tell(c, "a", [told(run.id, 1, is_whole=True)])
    sharedlogs.note_objects(c, run.id, [("logs/1", 1), ("logs/2", 2)])
    end(c, run)
    assert sharedlogs.list_orphans(c, 10) == []
    retention.delete_runs(c, [run.id])
    assert sharedlogs.list_orphans(c, 10) == ["logs/1", "logs/2"]
    sharedlogs.delete_orphans(c, ["logs/1"])
    assert sharedlogs.list_orphans(c, 10) == ["logs/2"]
    assert sharedlogs.find_shared_logs(c, [run.id]) == {}


def test_objects_of_a_log_that_is_told_anew_are_not_needed_any_more(c: Connection) -> None:
    run = add_running(c, add_task(c))
    sharedlogs.tell(c, "a", [told(run.id, 1, is_whole=True)])
    sharedlogs.note_objects(c, run.id, [("logs/1", 1)])
    end(c, run)
    sharedlogs.keep(c, run.id, 1, ["logs/1"])
    sharedlogs.tell(c, "a", [told(run.id, 2, base=1, is_whole=True, is_anew=True)])
    assert sharedlogs.list_orphans(c, 10) == ["logs/1"]
    assert sharedlogs.list_unkept(c, "", 10) == [(run.id, 2)]
