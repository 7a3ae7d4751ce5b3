from tests.store.storing import add_running, add_task

from rota.store import logchunks
from rota.store.connection import Connection
from rota.store.logchunks import Chunk


def test_chunks_are_kept_in_order_and_each_once(c: Connection) -> None:
    run = add_running(c, add_task(c))
    first, second = Chunk(1, 1, "data", 0, b"\xff\x00one"), Chunk(2, 1, "index", 0, b"two")
    logchunks.insert_chunks(c, [(run.id, first), (run.id, second)])
    logchunks.insert_chunks(c, [(run.id, Chunk(2, 1, "index", 0, b"other"))])
    assert logchunks.list_chunks(c, run.id, 0, 10) == [first, second]
    assert logchunks.list_chunks(c, run.id, 1, 10) == [second]


def test_what_stood_in_files_that_are_gone_is_forgotten(c: Connection) -> None:
    run = add_running(c, add_task(c))
    chunks = [Chunk(seq, seq, "data", 0, b"x") for seq in (1, 2, 3)]
    frames = [Chunk(3 + number, number, "frames", 0, b"y") for number in (1, 2)]
    logchunks.insert_chunks(c, [(run.id, chunk) for chunk in (*chunks, *frames)])
    logchunks.delete_segments(c, run.id, before=2, frames_before=2)
    assert logchunks.list_chunks(c, run.id, 0, 10) == [*chunks[1:], frames[1]]
    logchunks.delete_until(c, run.id, 3)
    assert logchunks.list_chunks(c, run.id, 0, 10) == frames[1:]
