"""What nodes call out to each other: heard by those that listen at this moment, kept nowhere."""

from collections.abc import Iterable

from rota.store.connection import Connection

CHANNEL = "rota_"
# PostgreSQL takes messages of fewer than 8000 bytes.
LONGEST_BYTES = 7900
TELL = "SELECT pg_notify(? || current_schema(), ?)"


def call_out(c: Connection, messages: Iterable[str]) -> None:
    """All listening connections hear it once this transaction is over, ours too."""
    for message in messages:
        c.rows(TELL, (CHANNEL, message))
