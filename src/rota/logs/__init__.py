"""Run logs: files that are appended, paged, followed and rotated."""

from rota.logs.disk import Shortage
from rota.logs.folder import RunLogs
from rota.logs.follow import Growth, follow
from rota.logs.index import Stream
from rota.logs.name import LogName
from rota.logs.pattern import Pattern
from rota.logs.reader import LONGEST_PAGE_BYTES, LogLine, LogPage, LogReader
from rota.logs.redraw import LiveRegion
from rota.logs.writer import LogWriter

__all__ = [
    "LONGEST_PAGE_BYTES", "Growth", "LiveRegion", "LogLine", "LogName", "LogPage", "LogReader", "LogWriter", "Pattern", "RunLogs",
    "Shortage", "Stream", "follow",
]  # fmt: skip
