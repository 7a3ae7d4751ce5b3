"""What the command is to be told that works on a run on another machine."""

from rota.store.connection import Connection

INSERT = """
    INSERT INTO run_messages (run_id, seq, line)
    SELECT ?, COALESCE(MAX(seq), 0) + 1, ? FROM run_messages WHERE run_id = ?"""
LIST = "SELECT seq, line FROM run_messages WHERE run_id = ? AND seq > ? ORDER BY seq"
LAST = "SELECT COALESCE(MAX(seq), 0) FROM run_messages WHERE run_id = ?"


def insert_message(c: Connection, run_id: str, line: str) -> None:
    """Behind the others. Only one writes at a time: who does holds the run."""
    c.run(INSERT, (run_id, line, run_id))


def list_messages(c: Connection, run_id: str, after: int) -> list[tuple[int, str]]:
    """Number and text of each, in order."""
    return [(seq, line) for seq, line in c.rows(LIST, (run_id, after))]


def find_last(c: Connection, run_id: str) -> int:
    """The number of the last one; 0 where there is none."""
    row = c.row(LAST, (run_id,))
    return row[0] if row else 0
