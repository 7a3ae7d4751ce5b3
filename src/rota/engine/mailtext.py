"""What a mail about a run says: what became of it, and its log without the details."""

from collections import deque
from collections.abc import Iterable, Iterator

from rota.core.entry import decode_entry
from rota.core.message import Message, compose
from rota.core.notification import Note
from rota.logs import LogReader
from rota.logs.reader import LogLine

PAGE = 10_000
# A mail that is larger than this is refused here and there; the end of a log says more than its beginning.
LONGEST_CHARACTERS = 200_000
CUT = "… (what is before this is in the log)"


def write_mail(note: Note, reader: LogReader, url: str | None) -> Message:
    """Reads the whole log, so never call it on an event loop."""
    told = compose(note, url=url)
    lines = _last(_in_words(line) for line in _lines(reader) if not _is_detail(line))
    text = "\n".join([told.text, "", *lines]) if lines else told.text
    return Message(headline=" ".join(told.headline.split()), text=text)


def _lines(reader: LogReader) -> Iterator[LogLine]:
    n = 0
    while lines := reader.page(n, PAGE).lines:
        yield from lines
        n = lines[-1].n + 1


def _is_detail(line: LogLine) -> bool:
    entry = decode_entry(line.text) if line.stream == "entry" else None
    return entry is not None and entry.get("level") == "debug"


def _in_words(line: LogLine) -> str:
    return f"{line.at:%H:%M:%S} {line.plain}"


def _last(lines: Iterable[str]) -> list[str]:
    kept: deque[str] = deque()
    size, is_cut = 0, False
    for line in lines:
        kept.append(line)
        size += len(line) + 1
        while size > LONGEST_CHARACTERS:
            size -= len(kept.popleft()) + 1
            is_cut = True
    return [CUT, *kept] if is_cut else list(kept)
