"""A log in a temporary folder."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rota.core.policy import LogLimit
from rota.logs import LogName, LogReader, LogWriter, RunLogs

NAME = LogName("nightly backup", datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC), "0195-run")


@pytest.fixture
def name() -> LogName:
    return NAME


@pytest.fixture
def logs(tmp_path: Path) -> RunLogs:
    return RunLogs(tmp_path / "logs")


@pytest.fixture
def writer(logs: RunLogs) -> LogWriter:
    return logs.writer(NAME, LogLimit())


@pytest.fixture
def reader(logs: RunLogs) -> LogReader:
    return logs.reader(NAME)


@pytest.fixture
def show(reader: LogReader) -> Callable[[], list[tuple[int, str, str]]]:
    """All lines as (number, stream, text)."""
    return lambda: [(line.n, line.stream, line.text) for line in reader.page(0, 1_000_000).lines]
