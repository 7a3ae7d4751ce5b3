"""What a database is asked, as its connection hears it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rota.store.database import Database


@contextmanager
def overheard(database: Database) -> Iterator[list[str]]:
    """The statements so far, of a database whose functions run at once."""
    said: list[str] = []
    stop = database.run(lambda c: _listen(c, said.append))
    try:
        yield said
    finally:
        stop()


def _listen(c: Any, hear: Callable[[str], None]) -> Callable[[], None]:
    """Returns what ends it."""
    if c.dialect == "sqlite":
        c.raw.set_trace_callback(hear)
        return lambda: c.raw.set_trace_callback(None)
    execute = c._execute

    def hear_and_execute(sql: str, *rest: Any) -> Any:
        hear(sql)
        return execute(sql, *rest)

    c._execute = hear_and_execute

    def stop() -> None:
        c._execute = execute

    return stop
