"""Log chunks: what was written into the files of a run's log on one machine, in order, so that any other can write the same."""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from rota.store.connection import Connection

File = Literal["data", "index", "frames"]
INSERT = """
    INSERT INTO log_chunks (run_id, seq, segment, file, at, data) {values} ON CONFLICT (run_id, seq) DO NOTHING RETURNING seq"""
LIST = "SELECT seq, segment, file, at, data FROM log_chunks WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?"
# What stood in data files that are gone. What lines were before they were redrawn is in files that are numbered by themselves.
DELETE_SEGMENTS = """
    DELETE FROM log_chunks WHERE run_id = ?
    AND ((file <> 'frames' AND segment < ?) OR (file = 'frames' AND segment < ?))"""


class Chunk(Struct, frozen=True, array_like=True):
    """Bytes of one file at a place in it.

    seq      counts a run's chunks from 1, over all its attempts
    segment  rises when the log began a new file of that kind; the one before the last is gone then
    """

    seq: int
    segment: int
    file: File
    at: int
    data: bytes


def insert_chunks(c: Connection, chunks: Iterable[tuple[str, Chunk]]) -> None:
    """Each with its run's id. Those that are there already stay as they are."""
    values = [(run_id, each.seq, each.segment, each.file, each.at, b64encode(each.data).decode()) for run_id, each in chunks]
    c.batch(INSERT, "text bigint bigint text bigint text", values)


def list_chunks(c: Connection, run_id: str, after_seq: int, limit: int) -> list[Chunk]:
    """In order."""
    rows = c.rows(LIST, (run_id, after_seq, limit))
    return [Chunk(seq, segment, file, at, b64decode(data)) for seq, segment, file, at, data in rows]


def delete_segments(c: Connection, run_id: str, before: int, frames_before: int) -> None:
    """Forget what stood in files that are gone."""
    c.run(DELETE_SEGMENTS, (run_id, before, frames_before))


def delete_until(c: Connection, run_id: str, seq: int) -> None:
    """Forget the chunks up to that one."""
    c.run("DELETE FROM log_chunks WHERE run_id = ? AND seq <= ?", (run_id, seq))
