"""Shared logs: how far the log of a run was told to other machines, by whom, and where what was told lies."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from rota.store import logchunks
from rota.store.connection import Connection, Row
from rota.store.logchunks import Chunk
from rota.store.moments import from_us

FIELDS = "run_id, writer, base, seq, mark, is_whole, drawn, kept_seq"
FIND = f"SELECT {FIELDS} FROM run_logs WHERE run_id IN ({{values}})"
LIST = """
    SELECT t.name, r.created_at, l.run_id, l.writer, l.base, l.seq, l.mark, l.is_whole, l.drawn, l.kept_seq
    FROM run_logs AS l JOIN runs AS r ON r.id = l.run_id JOIN tasks AS t ON t.id = r.task_id
    WHERE l.run_id > ? ORDER BY l.run_id LIMIT ?"""
# Of a run that is gone nothing is written down. A new row has nothing before it, so that `kept_seq` can bring here from where
# the writer goes on; the same told twice is taken, for an answer may have got lost.
TELL = """
    WITH given (run_id, base, after_seq, seq, mark, is_whole, drawn) AS ({values})
    INSERT INTO run_logs (run_id, writer, base, seq, mark, is_whole, drawn, kept_seq)
    SELECT runs.id, ?, given.base, given.seq, given.mark, given.is_whole, given.drawn, given.after_seq
    FROM given JOIN runs ON runs.id = given.run_id WHERE 1 = 1
    ON CONFLICT (run_id) DO UPDATE SET
        base = excluded.base, seq = excluded.seq, mark = excluded.mark, is_whole = excluded.is_whole, drawn = excluded.drawn
    WHERE run_logs.writer = excluded.writer AND (
        run_logs.seq = excluded.kept_seq OR (run_logs.seq = excluded.seq AND run_logs.mark = excluded.mark))
    RETURNING run_id"""
TAKE_OVER = f"""
    UPDATE run_logs SET writer = ?, is_whole = 0, drawn = NULL WHERE run_id = ? AND EXISTS (
        SELECT 1 FROM runs WHERE runs.id = run_logs.run_id AND runs.fence = ? AND COALESCE(runs.state, '') = 'running')
    RETURNING {FIELDS}"""
TAKE = f"UPDATE run_logs SET writer = ? WHERE run_id = ? AND writer = ? AND seq = ? RETURNING {FIELDS}"
# The run has ended, so that nobody takes the log over.
UNKEPT = """
    SELECT run_logs.run_id, seq FROM run_logs JOIN runs ON runs.id = run_logs.run_id
    WHERE is_whole = 1 AND kept_seq = 0 AND seq > base AND runs.ended_at IS NOT NULL AND run_logs.run_id > ?
    ORDER BY run_logs.run_id LIMIT ?"""
NOTE_OBJECT = "INSERT INTO log_objects (object_key, run_id, last_seq) {values} ON CONFLICT DO NOTHING RETURNING object_key"
KEEP = """
    UPDATE run_logs SET kept_seq = ? WHERE run_id = ? AND seq = ? AND kept_seq = 0 AND is_whole = 1 RETURNING run_id"""
USE = "UPDATE log_objects SET is_used = 1 WHERE object_key IN ({values}) RETURNING object_key"
OBJECTS = "SELECT object_key FROM log_objects WHERE run_id = ? AND is_used = 1 ORDER BY last_seq"
ORPHANS = "SELECT object_key FROM log_objects WHERE run_id IS NULL ORDER BY object_key LIMIT ?"
# Objects of a log that was told anew.
RELEASE = "UPDATE log_objects SET run_id = NULL WHERE run_id IN ({values}) RETURNING object_key"
UNKEEP = "UPDATE run_logs SET kept_seq = 0 WHERE run_id IN ({values}) RETURNING run_id"


class SharedLog(Struct, frozen=True, kw_only=True):
    """What is known of a log that was told.

    base      chunks up to this one count no more
    seq       of the newest chunk
    mark      of `logs.changes`, as JSON
    is_whole  the writer has nothing more to tell
    drawn     what is not a line yet, as JSON
    kept_seq  chunks up to this one are in objects
    """

    run_id: str
    writer: str
    base: int = 0
    seq: int = 0
    mark: str = "[]"
    is_whole: bool = False
    drawn: str | None = None
    kept_seq: int = 0


class Told(Struct, frozen=True, kw_only=True):
    """What the writer tells now.

    after_seq  of the newest chunk that was told before
    is_anew    what was told before counts no more, objects included
    segments   the numbers of the data file and of the file of frames that were told last
    """

    run_id: str
    base: int
    after_seq: int
    seq: int
    mark: str
    is_whole: bool
    drawn: str | None
    chunks: Sequence[Chunk]
    segments: tuple[int, int] = (0, 0)
    is_anew: bool = False


def find_shared_logs(c: Connection, run_ids: Iterable[str]) -> dict[str, SharedLog]:
    """Those that were told of at all."""
    rows = c.batch(FIND, "text", [(run_id,) for run_id in run_ids])
    return {row[0]: _shared(row) for row in rows}


def list_shared_logs(c: Connection, after_id: str, limit: int) -> list[tuple[str, datetime, SharedLog]]:
    """With their tasks' names, and when their runs were made; in the order of the runs."""
    return [(row[0], from_us(row[1]), _shared(row[2:])) for row in c.rows(LIST, (after_id, limit))]


def forget(c: Connection, run_id: str) -> None:
    """Nobody else is to read it."""
    c.run("DELETE FROM log_chunks WHERE run_id = ?", (run_id,))
    c.run("DELETE FROM run_logs WHERE run_id = ?", (run_id,))


def tell(c: Connection, writer: str, told: Sequence[Told]) -> set[str]:
    """Write down what a writer tells of its logs. Returns the runs of which that was taken: it is not where another
    writes it, or the same writer has told something else meanwhile, or the run is gone."""
    values = [(each.run_id, each.base, each.after_seq, each.seq, each.mark, int(each.is_whole), each.drawn) for each in told]
    taken = {row[0] for row in c.batch(TELL, "text bigint bigint bigint text integer text", values, (writer,))}
    anew = [(each.run_id,) for each in told if each.is_anew and each.run_id in taken]
    if anew:
        c.batch(RELEASE, "text", anew)
        c.batch(UNKEEP, "text", anew)
    logchunks.insert_chunks(c, [(each.run_id, chunk) for each in told if each.run_id in taken for chunk in each.chunks])
    for each in told:
        if each.run_id in taken and each.is_anew:
            logchunks.delete_until(c, each.run_id, each.base)
        if each.run_id in taken and max(each.segments) > 2 and each.chunks:
            logchunks.delete_segments(c, each.run_id, each.segments[0] - 1, each.segments[1] - 1)
    return taken


def take_over(c: Connection, run_id: str, writer: str, fence: int) -> SharedLog | None:
    """Write the log from now on, as whoever holds the run with that fence; whoever wrote it tells nothing more.

    None if nothing was told of it, or the run is not held so.
    """
    row = c.row(TAKE_OVER, (writer, run_id, fence))
    return None if row is None else _shared(row)


def take(c: Connection, known: SharedLog, writer: str) -> SharedLog | None:
    """Write it from now on, where no process does. None if it is not any more as it was known."""
    row = c.row(TAKE, (writer, known.run_id, known.writer, known.seq))
    return None if row is None else _shared(row)


def list_unkept(c: Connection, after_id: str, limit: int) -> list[tuple[str, int]]:
    """Whole logs of ended runs that are not in objects yet, by run id, with the number of the newest chunk."""
    return [(row[0], row[1]) for row in c.rows(UNKEPT, (after_id, limit))]


def note_objects(c: Connection, run_id: str, objects: Iterable[tuple[str, int]]) -> None:
    """Keys that are about to be written, with the newest chunk in each. Those that are noted already stay."""
    c.batch(NOTE_OBJECT, "text text bigint", [(key, run_id, seq) for key, seq in objects])


def keep(c: Connection, run_id: str, seq: int, keys: Iterable[str]) -> bool:
    """All chunks up to that one are in these objects from now on. False, with nothing changed, if more was told meanwhile."""
    if c.row(KEEP, (seq, run_id, seq)) is None:
        return False
    c.batch(USE, "text", [(key,) for key in keys])
    logchunks.delete_until(c, run_id, seq)
    return True


def list_objects(c: Connection, run_id: str) -> list[str]:
    """Keys of the objects that hold a log, in the order of what is in them."""
    return [row[0] for row in c.rows(OBJECTS, (run_id,))]


def list_orphans(c: Connection, limit: int) -> list[str]:
    """Keys of objects that no log needs any more."""
    return [row[0] for row in c.rows(ORPHANS, (limit,))]


def delete_orphans(c: Connection, keys: Iterable[str]) -> None:
    """Forget those whose objects are deleted."""
    sql = "DELETE FROM log_objects WHERE object_key IN ({values}) AND run_id IS NULL RETURNING object_key"
    c.batch(sql, "text", [(key,) for key in keys])


def _shared(row: Row) -> SharedLog:
    run_id, writer, base, seq, mark, is_whole, drawn, kept_seq = row
    return SharedLog(
        run_id=run_id, writer=writer, base=base, seq=seq, mark=mark, is_whole=bool(is_whole), drawn=drawn, kept_seq=kept_seq
    )
