"""Log chunks: what workers wrote into the files of a run's log, kept in order so that any server can write the same files."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from rota.store.connection import Connection

File = Literal["data", "index"]
INSERT = """
    INSERT INTO log_chunks (run_id, seq, segment, file, at, data) {values} ON CONFLICT (run_id, seq) DO NOTHING RETURNING seq"""
LIST = "SELECT seq, segment, file, at, data FROM log_chunks WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?"
LAST = "SELECT seq, segment FROM log_chunks WHERE run_id = ? ORDER BY seq DESC LIMIT 1"


class Chunk(Struct, frozen=True):
    """Bytes of one file at a place in it.

    seq      counts a run's chunks from 1, over all its attempts
    segment  rises when the log began a new data file; the one before the last is gone then
    """

    seq: int
    segment: int
    file: File
    at: int
    data: bytes


def insert_chunks(c: Connection, run_id: str, chunks: Sequence[Chunk]) -> None:
    """Those that are there already stay as they are."""
    values = [(run_id, each.seq, each.segment, each.file, each.at, b64encode(each.data).decode()) for each in chunks]
    c.batch(INSERT, "text bigint bigint text bigint text", values)


def list_chunks(c: Connection, run_id: str, after_seq: int, limit: int) -> list[Chunk]:
    """In order."""
    rows = c.rows(LIST, (run_id, after_seq, limit))
    return [Chunk(seq, segment, file, at, b64decode(data)) for seq, segment, file, at, data in rows]


def find_last(c: Connection, run_id: str) -> tuple[int, int]:
    """Number and segment of the newest chunk; zeros where there is none."""
    row = c.row(LAST, (run_id,))
    return (0, 0) if row is None else (row[0], row[1])


def delete_segments(c: Connection, run_id: str, before: int) -> None:
    """Forget what stood in data files that are gone."""
    c.run("DELETE FROM log_chunks WHERE run_id = ? AND segment < ?", (run_id, before))
